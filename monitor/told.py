"""Sentences for people about live units: what is worse than beside it, or than before."""

from __future__ import annotations

from collections.abc import Sequence

from monitor.findings import clock
from monitor.live import LiveCheck, group_name
from monitor.model import Interval
from monitor.stretch import Span, Waits
from monitor.tickets import RateAlarm


def against_control(
    check: LiveCheck,
    variant: str,
    control: str,
    what: Sequence[str],
    harm: Interval,
    since: float | None,
    slow: Waits | None = None,
) -> str:
    """What is worse than at the build that serves at the same time, by how much, and since when."""
    where = f"{check.signal} on {check.slice} under {variant}"
    when = "" if since is None else f", since {clock(since)}"
    size = "" if harm.estimate is None else f"{abs(harm.estimate) * 100:.1f} points"
    if harm.lower is not None and harm.upper is not None:
        size += f" ({harm.lower * 100:.1f} to {harm.upper * 100:.1f})"
    if check.direction == "shift":
        return f"{where} has shifted against {control}'s at the same times: {', '.join(what)}, by {size}{when}"
    if check.direction == "longer":
        place = f", with {what[0]}" if what[0] else ""
        told = f"{where} is longer than {control}'s at the same times{place}: {size} more of it in the slow tail{when}"
        return told if slow is None else f"{told}; {slowest(check, slow, 'there')}"
    return f"{where} is {size} more frequent than {control}'s at the same times{when}"


def slowest(check: LiveCheck, slow: Waits, there: str) -> str:
    """How long all but the slowest twentieth take in one stratum, here and there."""
    which = group_name(check, 1 + slow.stratum)
    return f"with {which}, 19 of 20 take at most {_milliseconds(slow.here)}, and {there} {_milliseconds(slow.there)}"


def _milliseconds(span: Span) -> str:
    lower, upper = span
    if upper is None:
        return f"{_short(lower)} ms or more"
    return f"{_short(lower)} to {_short(upper)} ms" if lower else f"less than {_short(upper)} ms"


def _short(milliseconds: float) -> str:
    """Three digits are more than the bins hold."""
    return f"{float(f'{milliseconds:.3g}'):,g}"


def against_past(
    check: LiveCheck,
    variant: str,
    what: Sequence[str],
    worst: str,
    alarm: RateAlarm,
    width: int,
    slow: Waits | None = None,
) -> str:
    """What is beyond what the period before the deploy allows, and when that began."""
    where, past = f"{check.signal} on {check.slice} under {variant}", "what the period before the deploy allows"
    begun = f"since {clock(alarm.start * width / 1000)} "
    begun += f"(between {clock(alarm.onset.earliest * width / 1000)} and {clock(alarm.onset.latest * width / 1000)})"
    if check.direction == "longer":
        return (
            f"{where} is longer: {alarm.rate:.1%} lie beyond what was its slow tail, above {past} ({alarm.bound:.1%}), "
            f"{begun}" + (f"; {slowest(check, slow, 'before')}" if slow else "")
        )
    if check.direction == "shift":
        fell = worst.startswith("less ")
        rate, bound = (1 - alarm.rate, 1 - alarm.bound) if fell else (alarm.rate, alarm.bound)
        return (
            f"{where} has shifted ({', '.join(what)}): {worst.partition(' ')[2]} at {rate:.1%}, "
            f"{'below' if fell else 'above'} {past} ({bound:.1%}), {begun}"
        )
    return f"{where} runs at {alarm.rate:.1%}, above {past} ({alarm.bound:.1%}), {begun}"
