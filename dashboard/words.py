"""Numbers and times as people read them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

MINUTE, DAY = 60.0, 86400.0
UNKNOWN = "–"
ICONS = {"pass": "✔", "hold": "◷", "fail": "✖"}


def count(number: float | None) -> str:
    """A whole number with thousands apart: `12,345`."""
    return UNKNOWN if number is None else f"{number:,.0f}"


def share(part: float | None) -> str:
    """A share as a percentage: `4.8 %`, `0.02 %`, `100 %`."""
    if part is None:
        return UNKNOWN
    percent = part * 100
    digits = 0 if percent >= 99.95 or percent == 0 or percent >= 10 else 1 if percent >= 0.1 else 2
    return f"{percent:.{digits}f} %"


def points(value: float) -> str:
    """The size of a difference of rates, in points, without its sign: `12.3`."""
    return f"{abs(value) * 100:.1f}"


def harm(interval: Mapping[str, Any] | None) -> str:
    """A harm with its bounds: `12.3 points worse (8.1 to 16.9)`, `0.6 points better (1.4 better to 0.2 worse)`."""
    estimate = (interval or {}).get("estimate")
    if interval is None or estimate is None:
        return "not known yet"
    return f"{_size(estimate)}{_bounds(estimate, interval.get('lower'), interval.get('upper'))}"


def _size(estimate: float) -> str:
    if points(estimate) == "0.0":
        return "no difference"
    return f"{points(estimate)} points {_way(estimate)}"


def _way(value: float) -> str:
    return "worse" if value > 0 else "better"


def _bounds(estimate: float, lower: float | None, upper: float | None) -> str:
    if lower is None or upper is None:
        return ""
    if points(estimate) != "0.0" and lower * upper >= 0:
        near, far = sorted((abs(lower), abs(upper)))
        return f" ({points(near)} to {points(far)})"
    return f" ({points(lower)} {_way(lower)} to {points(upper)} {_way(upper)})"


def duration(seconds: float | None) -> str:
    """A length of time in its two leading units at most: `45 s`, `4 min`, `2 h 10 min`, `3 days`."""
    if seconds is None:
        return UNKNOWN
    if round(seconds) < MINUTE:
        return f"{seconds:.0f} s"
    if round(seconds / MINUTE) < 60:
        return f"{seconds / MINUTE:.0f} min"
    if seconds < 2 * DAY:
        hours, rest = divmod(round(seconds / MINUTE), 60)
        return f"{hours} h {rest} min" if rest and hours < 10 else f"{hours} h"
    return f"{seconds / DAY:.0f} days"


def clock(time: float | None, now: float | None = None) -> str:
    """A time of day, with the date where it is not today's: `14:03 UTC`, `12 Mar 14:03 UTC`."""
    if time is None:
        return "never"
    moment = datetime.fromtimestamp(time, UTC)
    today = now is None or datetime.fromtimestamp(now, UTC).date() == moment.date()
    return f"{moment:%H:%M} UTC" if today else f"{moment.day} {moment:%b %H:%M} UTC"


def ago(time: float | None, now: float) -> str:
    """A time and how far it is away: `14:03 UTC, 4 min ago`."""
    if time is None:
        return "never"
    away = now - time
    distance = "just now" if abs(away) < 1 else f"{duration(away)} ago" if away > 0 else f"in {duration(-away)}"
    return f"{clock(time, now)}, {distance}"


def needs(check: Mapping[str, Any]) -> str:
    """What an undecided check waits for: `120 more pairs, about 14 min`."""
    pairs, seconds = check.get("needs_pairs"), check.get("needs_seconds")
    if check.get("decision") != "hold" or pairs is None:
        return ""
    when = f", about {duration(seconds)}" if seconds is not None else ""
    return f"{count(pairs)} more {'pair' if pairs == 1 else 'pairs'}{when}"


def build_format(form: Mapping[str, Any] | None) -> str:
    """How a build is quantized: `4 bits, weight-only, groups of 128`."""
    if not form:
        return "format not stated"
    bits, group = form.get("bits"), form.get("group_size")
    parts = [f"{bits:g} bits"] if bits else []
    parts += [str(form["kind"]).replace("_", " ")] if form.get("kind") not in (None, "", "unknown", "none") else []
    parts += [f"groups of {group}"] if group else []
    parts += ["per channel"] if form.get("per_channel") else []
    return ", ".join(parts) or "format not stated"


def decision(word: str | None) -> str:
    """A decision with its sign, told apart without colour: `✖ fail`."""
    return f"{ICONS[word]} {word}" if word in ICONS else "· not judged"


def signal(row: Mapping[str, Any]) -> str:
    """A signal's name, with the direction of harm where there is more than one."""
    direction = str(row.get("direction") or "")
    plain = direction in ("", "worse", "harm")
    return str(row.get("signal", "")) if plain else f"{row.get('signal', '')} ({direction})"
