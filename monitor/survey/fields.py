"""Which fields of an event a log fills, how often, and where each value came from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from monitor.dialects.reader import Found
from monitor.model import Event

FIELDS: Final = (
    "id",
    "time",
    "received_at",
    "deployment",
    "variant",
    "conversation",
    "turn",
    "user",
    "action",
    "messages",
    "tools",
    "response_format",
    "sampling",
    "output.text",
    "output.tool_calls",
    "output.finish_reason",
    "output.logprobs",
    "prompt_tokens",
    "completion_tokens",
    "timings.queue",
    "timings.first_token",
    "timings.total",
    "load.running",
    "load.waiting",
    "expected",
    "score",
    "reference",
)
"""In the order in which people look for them; tags follow by name."""

_NATIVE_ONLY: Final = ("action", "expected", "score", "reference")
MOST_TAGS: Final = 20


@dataclass(frozen=True, slots=True)
class Field:
    """One field: in how many requests it stands, from which places (the most frequent first), and why not in others."""

    field: str
    requests: int
    filled: int
    origins: tuple[str, ...]
    missing: str


def fields(founds: Iterable[Found]) -> list[Field]:
    """Every field of the requests among some lines."""
    requests = [(found, found.record) for found in founds if isinstance(found.record, Event)]
    return [_field(name, requests) for name in (*FIELDS, *_tags(event for _, event in requests))]


def _field(name: str, requests: Sequence[tuple[Found, Event]]) -> Field:
    filled, origins, missing = 0, Counter[str](), Counter[str]()
    for found, event in requests:
        if _holds(event, name):
            filled += 1
            origins[_origin(found, name)] += 1
        else:
            missing[_missing(found, name)] += 1
    said = missing.most_common(1)[0][0] if missing else ""
    return Field(name, len(requests), filled, tuple(place for place, _ in origins.most_common()), said)


def _holds(event: Event, name: str) -> bool:
    if name.startswith("tags."):
        return name.removeprefix("tags.") in (event.tags or {})
    value: Any = event
    for step in name.split("."):
        value = getattr(value, step, None)
    return bytes(value) not in (b"", b"null", b"[]") if name == "tools" else value is not None and value != ()


def _origin(found: Found, name: str) -> str:
    """Where a value came from; of a part without a word of its own, where the whole did."""
    if found.dialect == "native":
        return f"$.{name}"
    return found.origins.get(name) or found.origins.get(name.split(".", 1)[0]) or "the line"


def _missing(found: Found, name: str) -> str:
    said = found.missing.get(name) or found.missing.get(name.split(".", 1)[0])
    return said or ("this format has no place for it" if _has_no_place(found, name) else "not in the line")


def _has_no_place(found: Found, name: str) -> bool:
    return found.dialect != "native" and name in _NATIVE_ONLY


def _tags(events: Iterable[Event]) -> list[str]:
    seen = Counter(tag for event in events for tag in event.tags or ())
    return [f"tags.{tag}" for tag in sorted(tag for tag, _ in seen.most_common(MOST_TAGS))]
