"""Looking a line up at the places of a mapping: the first that holds something of the wanted kind gives the value."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

import re2

from monitor.dialects.mapping import Place, Places, Step, Unit, as_places, parse_path

Value = TypeVar("Value")
Take = Callable[[Any, Unit | None], Value | None]
"""From what stands at a place to a value of the wanted kind; None if it is of no such kind."""

_NOTHING: Final[dict[str, Any]] = {}


@dataclass(slots=True)
class Line:
    """One line taken apart, as far as it is known yet. `file` is the file's name, without folders."""

    whole: dict[str, Any]
    file: str = ""
    request: Any = None
    response: Any = None
    headers: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Spot:
    """One place, ready to be looked up. `words` are what the plan writes for it."""

    words: str
    unit: Unit | None = None
    constant: str | None = None
    pattern: Any = None
    root: str = ""
    steps: tuple[Step, ...] = ()

    def look(self, line: Line) -> Any:
        """What stands there; None for nothing."""
        if self.constant is not None:
            return self.constant
        if self.pattern is not None:
            found = self.pattern.search(line.file) if line.file else None
            return found.group(1) if found else None
        value = line.whole if self.root == "$" else getattr(line, self.root)
        for step in self.steps:
            if isinstance(step, str):
                value = value.get(step) if isinstance(value, dict) else None
            else:
                value = value[step] if isinstance(value, list) and step < len(value) else None
            if value is None:
                return None
        return value


class Sought:
    """The places of one field."""

    def __init__(self, places: Places) -> None:
        self.spots = tuple(map(_spot, as_places(places)))
        self.words = ", ".join(f"`{spot.words}`" for spot in self.spots) or "no place"

    def find(self, line: Line, take: Take[Value]) -> tuple[Value, str] | None:
        """The first value of the wanted kind, and where it stood."""
        for spot in self.spots:
            raw = spot.look(line)
            if raw is not None and (value := take(raw, spot.unit)) is not None:
                return value, spot.words
        return None

    def reason(self, line: Line) -> str:
        """Why nothing was found: nothing stands there, or something of another kind."""
        wrong = next((spot.words for spot in self.spots if spot.look(line) is not None), None)
        return f"nothing at {self.words}" if wrong is None else f"what stands at `{wrong}` cannot be read"


def lowered(headers: dict[str, Any]) -> dict[str, Any]:
    """Headers under lower-case names; of several values of one, the first."""
    return {name.lower(): value[0] if isinstance(value, list) and value else value for name, value in headers.items()}


def file_name(source: str) -> str:
    """The file's name of a source `file:/folder/name.jsonl` or `tail:/folder/name.jsonl:…`; empty for other sources."""
    kind, _, path = source.partition(":")
    path = path.rpartition(":")[0] if kind == "tail" else path
    return path.rsplit("/", 1)[-1] if kind in ("file", "tail") else ""


def _spot(place: Place) -> Spot:
    if place.path is not None:
        root, steps = parse_path(place.path)
        steps = tuple(str(step).lower() for step in steps) if root == "headers" else steps
        return Spot(place.path, place.unit, root=root, steps=steps)
    if place.file is not None:
        return Spot("file name", place.unit, pattern=re2.compile(place.file))
    return Spot("constant", place.unit, constant=place.constant)
