"""Two builds under one name: what lines say of the build that served, besides its variant."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

import msgspec

from monitor.dialects.mapping import MappingRule
from monitor.dialects.places import Line as Parsed
from monitor.dialects.places import Sought
from monitor.dialects.values import as_response
from monitor.model import Event
from monitor.survey.extract import Line
from monitor.wire import milliseconds

TAG_MARKS: Final = (
    "build",
    "model",
    "model_version",
    "revision",
    "engine",
    "fingerprint",
    "system_fingerprint",
    "quantization",
)
"""Tags that differ between builds and hardly ever within one; the reader makes one of every `system_fingerprint`."""

Mark = tuple[str, str]


@dataclass(frozen=True, slots=True)
class TwoBuilds:
    """One variant whose lines name several builds at `place`. `since` is when the last of them began, in milliseconds,
    if they served one after the other; None if they took turns."""

    deployment: str
    variant: str
    place: str
    values: tuple[str, ...]
    since: int | None


def two_builds(requests: Iterable[tuple[Line, Event]], mapping: MappingRule) -> list[TwoBuilds]:
    """Every variant with more than one value at a place that names a build."""
    response = Sought(mapping.response)
    served: dict[tuple[str, str, str], dict[str, list[int]]] = defaultdict(dict)
    for line, event in requests:
        time = milliseconds(event.time)
        for place, value in (*_in_body(line, response), *_in_tags(event.tags or {})):
            spans = served[event.deployment, event.variant, place]
            span = spans.setdefault(value, [time, time])
            span[:] = min(span[0], time), max(span[1], time)
    return [TwoBuilds(*key, *_in_order(spans)) for key, spans in served.items() if len(spans) > 1]


def _in_order(spans: dict[str, list[int]]) -> tuple[tuple[str, ...], int | None]:
    ordered = sorted(spans.items(), key=lambda item: (item[1], item[0]))
    follow = all(a[1][1] <= b[1][0] for a, b in pairwise(ordered))
    return tuple(value for value, _ in ordered), ordered[-1][1][0] if follow else None


def _in_body(line: Line, response: Sought) -> Iterator[Mark]:
    if line.found.dialect != "openai":
        return
    whole = msgspec.json.decode(line.raw)
    found = response.find(Parsed(whole), as_response) if isinstance(whole, dict) else None
    body: Any = None if found is None else found[0]
    if isinstance(body, list):
        body = body[0]
    model = body.get("model") if isinstance(body, dict) else None
    if isinstance(model, str) and model:
        yield "response.model", model


def _in_tags(tags: dict[str, str]) -> Iterator[Mark]:
    for mark in TAG_MARKS:
        if tags.get(mark):
            yield f"tags.{mark}", tags[mark]
