"""From what stands at a place to what a native field takes, or None: then the next place is tried."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any, Final

import msgspec

from monitor.dialects.mapping import Unit

Fields = dict[str, Any]
"""Native fields by name, as JSON values."""

_EARLIEST: Final = 100_000_000.0
"""March 1973. From here to 2100 a number of seconds, milliseconds, microseconds or nanoseconds is no other's too."""
_LATEST: Final = 4_102_444_800.0
_UNITS: Final[dict[Unit, int]] = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}
_DIGITS: Final = 25
_NUMBER: Final = re.compile(r"\d+(?:\.\d+)?")
_STREAM: Final = "data:"


def as_name(value: Any, unit: Unit | None = None) -> str | None:
    """A text that is not empty, or a whole number as one."""
    if type(value) is int:
        return str(value)
    return value if isinstance(value, str) and value else None


def as_tag(value: Any, unit: Unit | None = None) -> str | None:
    """The same, and yes or no as JSON writes them."""
    return ("true" if value else "false") if isinstance(value, bool) else as_name(value)


def as_count(value: Any, unit: Unit | None = None) -> int | None:
    """A whole number from 0 on, also as digits."""
    if isinstance(value, str) and value.isascii() and value.isdigit():
        return int(value[:12])
    return value if type(value) is int and value >= 0 else None


def as_milliseconds(value: Any, unit: Unit | None = None) -> float | None:
    """A duration as milliseconds, which it is unless the place names another unit."""
    number = _number(value)
    if number is None or number < 0:
        return None
    return number * 1_000.0 if unit == "s" else number / (_UNITS[unit or "ms"] // 1_000)


def as_seconds(value: Any, unit: Unit | None = None) -> float | None:
    """A moment as seconds since the epoch: a number from 1973 on, or ISO 8601 with a zone.

    Without a unit the number's size says it: that of no unit reaches into the range of another.
    """
    number = _number(value)
    if number is not None:
        units = (unit,) if unit else _UNITS
        return next((t for each in units if _EARLIEST <= (t := number / _UNITS[each]) <= _LATEST), None)
    if not isinstance(value, str):
        return None
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return None
    return None if moment.tzinfo is None else moment.timestamp()


def as_object(value: Any, unit: Unit | None = None) -> dict[str, Any] | None:
    """An object, also one that was logged as a text of JSON."""
    found = parsed_json(value) if isinstance(value, str) else value
    return found if isinstance(found, dict) else None


def as_response(value: Any, unit: Unit | None = None) -> Any:
    """A response's body: an object, chunks in a list, or the text of a stream."""
    found = parsed_json(value) if isinstance(value, str) else value
    if isinstance(found, dict) or (isinstance(found, list) and found):
        return found
    return value if isinstance(value, str) and value.lstrip().startswith(_STREAM) else None


def _number(value: Any) -> float | int | None:
    """A number, also as digits; a whole one stays whole, because nanoseconds do not fit into a float."""
    if isinstance(value, str) and _NUMBER.fullmatch(value) and len(value) <= _DIGITS:
        return float(value) if "." in value else int(value)
    return value if type(value) is float or (type(value) is int and abs(value) < 10**_DIGITS) else None


def parsed_json(text: str) -> Any:
    """The object or list that a text of JSON holds; None for any other text."""
    if text.lstrip()[:1] not in ("{", "["):
        return None
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return None


def there(fields: Fields) -> Fields:
    """The fields without those that say nothing."""
    return {name: value for name, value in fields.items() if value is not None and value != []}
