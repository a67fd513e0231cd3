"""What got worse against the reference, as findings with a sentence for people: failed checks, late changes, drift."""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import UTC, datetime

from monitor.checks import check_table, declared_levels
from monitor.evidence.bets import log_evidence
from monitor.evidence.budget import ErrorNumbers
from monitor.evidence.interval import interval
from monitor.gate import Change, drift_checks
from monitor.model import Blame, Check, Finding, Interval
from monitor.pairs import GAINS
from monitor.series import VariantFacts
from monitor.signals.degeneration import OCTAVES
from monitor.watch import Watch

OCTAVES_APART = OCTAVES / GAINS["length"]
"""How many octaves a length difference of 1 stands for."""
_WORSE = {"more": "more often", "less": "less often"}
_WHAT = {
    "json": "answers are no JSON",
    "schema": "answers break their schema",
    "tool_call": "tool calls are broken or missing",
    "refusal": "requests are refused",
    "truncation": "answers are cut off",
    "repetition": "answers run in circles",
    "empty": "answers are empty",
    "language": "answers change their language",
}


def fail_finding(check: Check) -> Finding:
    """The finding of a check that failed since the deploy."""
    return Finding(
        kind="fail",
        deployment=check.deployment,
        variant=check.variant,
        slice=check.slice,
        signal=check.signal,
        direction=check.direction,
        harm=check.harm,
        since=check.since,
        log_evidence=check.log_evidence,
        threshold=check.threshold,
        units=check.pairs,
        blame=check.blame,
        sentence=sentence(
            check.variant, check.slice, check.signal, check.direction, check.harm, check.since, check.blame
        ),
    )


def change_finding(change: Change) -> Finding:
    """The finding of a gating check whose detector crossed its level after a quiet start."""
    check = change.check
    return Finding(
        kind="change",
        deployment=check.deployment,
        variant=check.variant,
        slice=check.slice,
        signal=check.signal,
        direction=check.direction,
        harm=check.latest,
        since=None,
        log_evidence=change.log_value,
        threshold=change.level,
        units=check.pairs,
        blame=None,
        sentence="changed: "
        + sentence(check.variant, check.slice, check.signal, check.direction, check.latest, None, None),
    )


def drift_findings(watch: Watch, facts: VariantFacts, numbers: ErrorNumbers) -> Iterator[Finding]:
    """Tickets from paired signals that do not gate, such as a length shift; their alpha is the wrong-fail budget's,
    split over all of them."""
    keys = drift_checks(watch)
    alpha = watch.rule.budget.wrong_fail / max(len(keys), 1)
    for name, signal, direction in keys:
        if (name, signal) not in facts.pairs:
            continue
        table = check_table(facts.pairs[name, signal], signal, direction, declared_levels(watch.rule.shadow))
        pairs, tolerance = table.pairs, watch.signal_rule(signal).tolerance
        evidence = float(log_evidence(pairs.support, pairs.counts, tolerance, weights=pairs.weights))
        if evidence < -math.log(alpha):
            continue
        harm = interval(pairs.support, pairs.counts, alpha, weights=pairs.weights)
        yield Finding(
            kind="ticket",
            deployment=watch.name,
            variant=facts.variant,
            slice=name,
            signal=signal,
            direction=direction,
            harm=harm,
            since=None,
            log_evidence=evidence,
            threshold=-math.log(alpha),
            units=pairs.n,
            blame=None,
            sentence=sentence(facts.variant, name, signal, direction, harm, None, None),
        )


def sentence(
    variant: str, name: str, signal: str, direction: str, harm: Interval, since: float | None, blame: Blame | None
) -> str:
    """One line for people: what, where, by how much, since when, and whose fault."""
    where = "all traffic" if name == "all" else name
    when = "" if since is None else f", since {clock(since)}"
    cause = "" if blame is None else f"; cause: {_cause(blame)}"
    if signal == "length":
        return f"{variant}: answers on {where} are {_times(harm, direction)} as long as the reference's{when}{cause}"
    size = "" if harm.estimate is None else f"{abs(harm.estimate) * 100:.1f} points"
    if harm.lower is not None and harm.upper is not None:
        size += f" ({harm.lower * 100:.1f} to {harm.upper * 100:.1f})"
    if signal == "score":
        return f"{variant}: answers on {where} score {size} worse than the reference's{when}{cause}"
    what = _WHAT.get(signal, f"{signal} fails")
    return f"{variant}: on {where}, {what} {size} {_WORSE[direction]} than at the reference{when}{cause}"


def _cause(blame: Blame) -> str:
    """The cause, or why none can be named."""
    undetermined = blame.cause == "undetermined" and blame.missing
    return f"{blame.cause}: {', '.join(blame.missing)}" if undetermined else blame.cause


def _times(harm: Interval, direction: str) -> str:
    """A length shift as a ratio with its bounds, lower first."""
    turn = 1 if direction == "more" else -1
    ends = sorted(turn * end for end in (harm.lower, harm.upper) if end is not None)
    bounds = " to ".join(f"{2 ** (end * OCTAVES_APART):.2f}" for end in ends)
    middle = "" if harm.estimate is None else f"{2 ** (turn * harm.estimate * OCTAVES_APART):.2f} times"
    return f"{middle} ({bounds})" if bounds else middle


def clock(seconds: float) -> str:
    """A time as people write it, in UTC."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
