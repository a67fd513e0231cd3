"""What is news about live units against the past, as findings, and what cannot be watched."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from monitor import longer, tickets
from monitor.evidence.baseline import CONTAMINATED
from monitor.evidence.joint import Direction
from monitor.live import LiveCheck, group_name, live_checks, yes_and_units
from monitor.model import Blame, Finding, Interval
from monitor.series import Series
from monitor.stretch import Waits, waits
from monitor.tickets import RateAlarm
from monitor.told import against_past
from monitor.watch import Group, Watch
from monitor.watched import Live

Blaming = Callable[[str, str, Direction], Blame]
"""Whose fault a live change is, by slice, signal and direction of harm."""


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
    slow = _slow_since(live, check) if check.direction == "longer" else None
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
        sentence=against_past(check, live.facts.variant, [one for one, _ in found], name, alarm, width, slow),
        against="past",
    )


def _slow_since(live: Live, check: LiveCheck) -> Waits | None:
    """How long the slow waits are, now and before the deploy, in the stratum that has most of them."""
    series, past = live.series(check), live.past(check)
    if series is None:
        return None
    over = longer.beyond(check, series, longer.edges_before(past), live.watch.signal_rule(check.signal).tolerance)
    stratum = int(over[..., 0].sum(axis=0).argmax())
    return waits(check.signal, [series], past, live.watch.rule.budget.wrong_fail, stratum)
