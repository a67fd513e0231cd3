"""What is worse at a build than at the one that serves beside it, as findings."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from monitor import control
from monitor.control import Compared, ControlAnswer
from monitor.evidence.bets import RATE
from monitor.evidence.interval import bounds
from monitor.live import LiveCheck, group_name, live_checks
from monitor.model import Finding, Interval
from monitor.stretch import Waits, waits
from monitor.told import against_control
from monitor.watched import Live, LiveKey, fails


def control_findings(live: Live, latched: Collection[LiveKey], memory: control.Memory) -> Iterator[Finding]:
    """What is worse than at the declared control, at the same times: it fails a variant where the signal gates, and
    pages else. `latched` are the checks that failed beside it before."""
    for check in live_checks(live.watch):
        series, beside = live.series(check), live.control(check)
        if series is None or beside is None:
            continue
        tolerance = live.watch.signal_rule(check.signal).tolerance
        found = control.compared(check, series, beside, live.facts.first, tolerance)
        rule = live.watch.rule.variants[live.facts.variant]
        key = (live.watch.plan.digest, live.facts.variant, check.slice, check.signal, rule.control or "")
        memory[key] = control.advance(found, memory.get(key))
        bar, level = live.numbers.fail_threshold, live.numbers.page_level(live.watch.width / 1000)
        said = control.answer(memory[key], bar, level)
        gates = fails(live.watch, check)
        if gates and (said.log_evidence >= bar or (check.slice, check.signal, check.direction) in latched):
            yield _compared(live, check, found, said, "fail", bar)
        elif said.log_value >= level:
            yield _compared(live, check, found, said, "change", level)


def _compared(
    live: Live, check: LiveCheck, found: Compared, said: ControlAnswer, kind: str, threshold: float
) -> Finding:
    groups = said.since_deploy if kind == "fail" else said.later
    (yes, units), (yes0, units0) = control.shares(found, groups[0])
    alpha = live.watch.rule.budget.wrong_fail / 4
    here, there = (bounds(RATE, [n - k, k], alpha, alpha, low=0.0) for k, n in ((yes, units), (yes0, units0)))
    harm = Interval(yes / max(units, 1) - yes0 / max(units0, 1), float(here[0] - there[1]), float(here[1] - there[0]))
    since = said.start * live.watch.width / 1000 if said.start >= 0 else None
    beside = live.watch.rule.variants[live.facts.variant].control or ""
    what = [group_name(check, group) for group in groups]
    slow = _slow_beside(live, check, groups[0])
    return Finding(
        kind="fail" if kind == "fail" else "change",
        deployment=live.watch.name,
        variant=live.facts.variant,
        slice=check.slice,
        signal=check.signal,
        direction=check.direction,
        harm=harm,
        since=since,
        log_evidence=said.log_evidence if kind == "fail" else said.log_value,
        threshold=threshold,
        units=units,
        blame=None,
        sentence=against_control(check, live.facts.variant, beside, what, harm, since, slow),
        against="control",
    )


def _slow_beside(live: Live, check: LiveCheck, group: int) -> Waits | None:
    """How long the slow waits are since the deploy, here and at the control; None of what is no latency."""
    arms = [live.series(check), live.control(check)]
    known = [series.from_(live.facts.first) for series in arms if series is not None]
    if check.direction != "longer" or len(known) < len(arms):
        return None
    return waits(
        check.signal, known[:1], known[1:], live.watch.rule.budget.wrong_fail, None if group == 0 else group - 1
    )
