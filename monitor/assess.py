"""Facts + plan + now -> a verdict with its checks and findings. Pure: the same arguments, the same answer.

Every number is recomputed from sealed facts; what must not be taken back (a check that once failed) comes in from
the ledger as `latched`.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from monitor.beside import control_findings
from monitor.findings import change_finding, drift_findings, fail_finding
from monitor.gate import CheckKey, Gate, Memory
from monitor.live import LATENCIES
from monitor.model import Check, Decision, Finding, Recommendation, Verdict
from monitor.news import past_findings
from monitor.response.recommend import Candidate, recommend
from monitor.series import Sealing, VariantFacts, holds, seal
from monitor.watch import Group, Watch
from monitor.watched import Live, LiveKey, budget

AMENDED = "sealed facts have changed since an earlier look: nothing is shown by them"
_HOLD = Recommendation("hold", "not every gating check is decided")


@dataclass(frozen=True, slots=True)
class Past:
    """What the ledger remembers for a variant: checks that failed once, the other builds' last verdicts, the name of
    the facts that the last look read (see `series.seal`), and what failed beside a control."""

    latched: Mapping[CheckKey, float]
    candidates: Sequence[Candidate]
    seal: str = ""
    beside: Collection[LiveKey] = ()


def assess(
    watch: Watch,
    facts: VariantFacts,
    others: Sequence[VariantFacts],
    past: Past,
    now: float,
    memory: Memory | None = None,
) -> Verdict:
    """The verdict on one variant at `now` (seconds), from facts sealed before it.

    `others` are the deployment's other variants, for baselines and for traffic. Error rates are those of the plan's
    budget, over all looks, as long as every look reads a longer prefix of the same sealed facts. `memory` saves work
    and changes no number.
    """
    numbers = budget(watch)
    gate = Gate(watch, facts, others, numbers, past.latched, memory)
    checks = gate.checks()
    live, unwatched = Live(watch, facts, others, numbers), list[str]()
    findings = (
        *(fail_finding(check) for check in checks if check.decision is Decision.FAIL),
        *(change_finding(change) for change in gate.changes()),
        *drift_findings(watch, facts, numbers),
        *control_findings(live, past.beside, gate.memory.controls),
        *past_findings(live, gate.case.of_change, unwatched),
    )
    decision, reason = decide(watch, facts, checks, findings, gate.uncovered)
    sealing = sealing_of(watch)
    amended = bool(past.seal) and not holds(past.seal, facts, sealing)
    if amended and not past.latched and not past.beside:
        decision, reason = Decision.HOLD, AMENDED
    verdict = Verdict(
        deployment=watch.name,
        variant=facts.variant,
        decision=decision,
        reason=reason,
        recommendation=_HOLD,
        as_of=now,
        sealed_until=(facts.last + 1) * watch.width / 1000,
        stale=False,
        coverage=gate.coverage(),
        checks=checks,
        findings=findings,
        uncovered=gate.uncovered,
        worst=_worst(checks),
        plan=watch.plan.digest,
        unwatched=tuple(unwatched),
        seal=past.seal if amended else seal(facts, sealing, round(now * 1000 / watch.width)),
    )
    return advised(watch, verdict, past.candidates)


def sealing_of(watch: Watch) -> Sealing:
    """Which facts a look names. Latencies are left out: their blocks are wider than buckets."""
    layouts = "".join(watch.layouts[group].digest for group in (Group.PAIR, Group.LIVE))
    live = {definition.signal for definition in watch.live} - {*LATENCIES}
    return Sealing(frozenset(live), layouts)


def advised(watch: Watch, verdict: Verdict, candidates: Sequence[Candidate]) -> Verdict:
    """The verdict with what to do about it, given the other builds' last verdicts."""
    gating = [rule.name for rule in watch.slicer.rules if rule.gates]
    v = verdict
    return replace(v, recommendation=recommend(v.decision, v.findings, v.checks, candidates, v.variant, gating))


def decide(
    watch: Watch,
    facts: VariantFacts,
    checks: Sequence[Check],
    findings: Sequence[Finding],
    uncovered: Sequence[str],
) -> tuple[Decision, str]:
    """Fail is shown, pass is shown; everything else is hold, with the first reason that stands in the way."""
    failed = [check for check in checks if check.decision is Decision.FAIL]
    if failed:
        worst = max(failed, key=lambda check: check.harm.estimate or 0.0)
        more = f" and {len(failed) - 1} more" if len(failed) > 1 else ""
        return Decision.FAIL, f"{worst.signal} on {worst.slice} is worse than tolerated{more}"
    beside = [finding for finding in findings if finding.kind == "fail" and finding.against == "control"]
    if beside:
        return Decision.FAIL, f"{beside[0].signal} on {beside[0].slice} is worse than at the control beside it"
    if watch.rule.reference is None and not facts.pairs:
        return Decision.HOLD, "no reference"
    if facts.variant == watch.rule.reference:
        return Decision.HOLD, "this is the reference: nothing to compare it with"
    if not checks:
        return Decision.HOLD, "no pairs yet" if not uncovered else "too few pairs on every slice"
    if any(finding.kind == "change" for finding in findings):
        return Decision.HOLD, "an open change after the deploy"
    open_checks = [check for check in checks if check.decision is Decision.HOLD]
    if open_checks:
        slowest = max(open_checks, key=lambda c: math.inf if c.needs_pairs is None else c.needs_pairs)
        return Decision.HOLD, f"{len(open_checks)} of {len(checks)} checks undecided: {slowest.reason}"
    if not any(check.slice == "all" for check in checks):
        return Decision.HOLD, "too few pairs over all traffic"
    return Decision.PASS, f"all {len(checks)} gating checks are within tolerance"


def _worst(checks: Sequence[Check]) -> tuple[str, ...]:
    """Slices by their largest harm beyond tolerance, worst first."""
    harm: dict[str, float] = {}
    for check in checks:
        excess = (check.harm.estimate or 0.0) - check.tolerance
        harm[check.slice] = max(harm.get(check.slice, -1.0), excess)
    return tuple(sorted((name for name, excess in harm.items() if excess > 0), key=lambda name: -harm[name]))
