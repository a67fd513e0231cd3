"""What is news about live units, as findings: against the build that serves beside them, and against the past."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass

from monitor import control, longer, tickets
from monitor.control import Compared, ControlAnswer
from monitor.evidence.baseline import CONTAMINATED
from monitor.evidence.bets import RATE
from monitor.evidence.budget import ErrorNumbers, spend
from monitor.evidence.interval import bounds
from monitor.evidence.joint import Direction
from monitor.gate import gating_checks
from monitor.live import LATENCY_BLOCK, LiveCheck, group_name, live_checks, yes_and_units
from monitor.model import Blame, Finding, Interval
from monitor.series import Series, VariantFacts
from monitor.tickets import RateAlarm
from monitor.told import against_control, against_past
from monitor.watch import Group, Watch

Blaming = Callable[[str, str, Direction], Blame]
"""Whose fault a live change is, by slice, signal and direction of harm."""


LiveKey = tuple[str, str, str]
"""Slice, signal and direction of a live check."""


@dataclass(frozen=True, slots=True)
class Live:
    """One variant's live units, those of the other variants, and what they are judged by."""

    watch: Watch
    facts: VariantFacts
    others: Sequence[VariantFacts]
    numbers: ErrorNumbers

    def series(self, check: LiveCheck) -> Series | None:
        """The variant's own series of a check."""
        return self.facts.units.get((check.slice, check.signal))

    def past(self, check: LiveCheck) -> list[Series]:
        """What all variants gave before this one's deploy."""
        found = [other.units[check.slice, check.signal] for other in self.others if self._has(other, check)]
        earlier = [series.before(self.facts.first) for series in found]
        return [series for series in earlier if len(series.buckets)]

    def control(self, check: LiveCheck) -> Series | None:
        """The series of the declared control, if it served."""
        rule = self.watch.rule.variants.get(self.facts.variant)
        name = None if rule is None else rule.control
        found = [other for other in self.others if other.variant == name and self._has(other, check)]
        return found[0].units[check.slice, check.signal] if found else None

    @staticmethod
    def _has(other: VariantFacts, check: LiveCheck) -> bool:
        return (check.slice, check.signal) in other.units


def budget(watch: Watch) -> ErrorNumbers:
    """The plan's budget in numbers, spent over every check that may ever fail, page or ticket one variant."""
    checks = live_checks(watch)
    compared = checks if any(rule.control for rule in watch.rule.variants.values()) else ()
    return spend(
        watch.rule.budget,
        checks=len(gating_checks(watch)),
        tickets=sum(1 if check.direction == "longer" else check.groups for check in checks),
        controls=len(compared),
        gates=sum(fails(watch, check) for check in compared),
    )


def fails(watch: Watch, check: LiveCheck) -> bool:
    """Whether a check against the control may fail a variant, and not only page."""
    slices = {rule.name for rule in watch.slicer.rules if rule.gates}
    return bool(watch.signal_rule(check.signal).gates) and check.slice in slices


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
        block = max(live.watch.width, LATENCY_BLOCK) if check.direction == "longer" else live.watch.width
        bar, level = live.numbers.fail_threshold, live.numbers.page_level(block / 1000)
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
        sentence=against_control(check, live.facts.variant, beside, what, harm, since),
        against="control",
    )


def past_findings(live: Live, blaming: Blaming, unwatched: list[str]) -> Iterator[Finding]:
    """What is news against the period before the deploy; what cannot be watched is added to `unwatched`, with why."""
    reasons: dict[str, list[str]] = {}
    for check in live_checks(live.watch):
        series = live.series(check)
        if series is None:
            continue
        alarms = list(_alarms(live, check, series))
        for reason in _unwatched(alarms):
            reasons.setdefault(reason, []).append(f"{check.slice}/{check.signal}")
        found = [(name, alarm) for name, alarm in alarms if isinstance(alarm, RateAlarm)]
        if found:
            yield _news(live, check, found, blaming)
    unwatched += _unseen(live.watch)
    unwatched += [f"{reason}: {', '.join(names)}" for reason, names in reasons.items()]


def _unseen(watch: Watch) -> list[str]:
    """What the topic's keys keep from being seen together."""
    if watch.sees_turns:
        return []
    groups = (Group.CORRECTION,) if watch.sees_requests else (Group.CORRECTION, Group.JOIN)
    names = ", ".join(definition.signal for group in groups for definition in watch.hindsight[group])
    return [f"not observed, since records are keyed by {watch.plan.input.keyed_by}: {names}"]


def _unwatched(alarms: Sequence[tuple[str, RateAlarm | str | None]]) -> set[str]:
    """Why a check is not watched, if none of its questions is, and what is odd about its baseline. That a rare category
    cannot fall is no news."""
    said = [alarm for _, alarm in alarms if isinstance(alarm, str) and alarm != CONTAMINATED]
    odd = {CONTAMINATED for _, alarm in alarms if alarm == CONTAMINATED}
    asked = any(not isinstance(alarm, str) for _, alarm in alarms)
    return odd if asked or not said else {*odd, said[0]}


def _alarms(live: Live, check: LiveCheck, series: Series) -> Iterator[tuple[str, RateAlarm | str | None]]:
    """The answer of each detector of a check, with what it is about."""
    past, rule = live.past(check), live.watch.rule.budget
    signal, width = live.watch.signal_rule(check.signal), live.watch.width
    if not past and signal.rate is None:
        yield "", tickets.NO_PAST
    elif check.direction == "longer":
        edges = longer.edges_before(past)
        against = longer.null_before(check, past, edges, width, rule, signal.tolerance)
        table = longer.beyond(check, series, edges, signal.tolerance).sum(axis=1)
        yield "", tickets.detect(table, series.buckets, against, live.numbers)
    else:
        tables = yes_and_units(check, series)
        earlier = [(one.buckets, yes_and_units(check, one)) for one in past or [series]]
        for group, table in enumerate(tables):
            fall = check.direction == "shift" and group % 2 == 1
            hours = tickets.by_hour([(buckets, before[group]) for buckets, before in earlier], width)
            against = tickets.null(hours, rule, known=signal.rate, fall=fall)
            if against.bound.note:
                yield group_name(check, group), against.bound.note
            yield group_name(check, group), tickets.detect(table, series.buckets, against, live.numbers)


def _news(live: Live, check: LiveCheck, found: Sequence[tuple[str, RateAlarm]], blaming: Blaming) -> Finding:
    name, alarm = max(found, key=lambda one: one[1].score / one[1].level)
    way, _, category = name.partition(" ")
    fewer = check.direction == "shift" and (way == "less") == (category in check.definition.yes)
    blame = blaming(check.slice, check.signal, "less" if fewer else "more")
    width = live.watch.width
    excess = Interval(alarm.rate - alarm.bound, None, None)
    return Finding(
        kind="change" if live.watch.rule.budget.past == "page" else "ticket",
        deployment=live.watch.name,
        variant=live.facts.variant,
        slice=check.slice,
        signal=check.signal,
        direction=check.direction,
        harm=excess,
        since=alarm.start * width / 1000,
        log_evidence=alarm.score,
        threshold=alarm.level,
        units=alarm.units,
        blame=blame,
        sentence=against_past(check, live.facts.variant, [one for one, _ in found], name, alarm, width),
        against="past",
    )
