"""A task score in [0, 1]: the team's own, or computed against a known right answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import orjson
import xxhash

from monitor.model import Definition, Event, Expected, Output, ToolCall
from monitor.signals.family import Cells, sealed

if TYPE_CHECKING:  # it brings the compiler along, which readers of definitions do without
    from monitor.signals.columns import Columns

Refused = Callable[[Event, Output], bool | None]

TOP = 65_535
STEPS = 16
GRID = tuple(k / STEPS for k in range(STEPS + 1))
DIFFERENCE_GRID = tuple(k / STEPS - 1 for k in range(2 * STEPS + 1))
_NO_SCORE = STEPS + 1


def quantised(score: float | None) -> int | None:
    """A number in [0, 1] as one of 65,536; None for what is absent, out of bounds or not a number."""
    if score is None or not 0 <= score <= 1:
        return None
    return round(score * TOP)


def rounded(sixteenths: int, event_hash: int) -> int:
    """`sixteenths / 65,535` as a neighbouring whole number, up or down by a 64-bit hash, so the mean is kept."""
    low, rest = divmod(sixteenths, TOP)
    return low + ((event_hash * TOP) >> 64 < rest)


def grid_cell(value: int, event_hash: int) -> int:
    """The point of `GRID` on which a value of 0…65,535 is counted."""
    return rounded(value * STEPS, event_hash)


def difference_cell(a: int, b: int, event_hash: int) -> int:
    """The point of `DIFFERENCE_GRID` on which a - b (each 0…65,535) is counted; over hashes the mean is a - b."""
    return rounded((a - b + TOP) * STEPS, event_hash)


class Score:
    """One signal, counted on 17 points. `value` is the same whichever arm the output came from.

    `refused` judges an output that was expected to refuse or to comply; None from it means no score.
    """

    def __init__(self, refused: Refused, seed: int = 0, artefact: bytes = b"") -> None:
        self.refused = refused
        self.seed = seed
        cells = (*(f"{k}/{STEPS}" for k in range(STEPS + 1)), "no_score")
        definition = Definition("score", "score", cells, unit="score", grid=GRID)
        self.definitions: tuple[Definition, ...] = (sealed(definition, artefact),)

    def value(self, event: Event, output: Output | None) -> int | None:
        """The score in 0…65,535: the one that came with this very output, else one against `event.expected`."""
        if output is event.output and event.score is not None:
            return quantised(event.score)
        if output is not None and output is event.reference and event.reference_score is not None:
            return quantised(event.reference_score)
        if event.expected is None or output is None:
            return None
        right = self._right(event, event.expected, output)
        return None if right is None else TOP * right

    def judge(self, event: Event, output: Output | None) -> tuple[int, ...]:
        value = self.value(event, output)
        if value is None:
            return (_NO_SCORE,)
        return (grid_cell(value, xxhash.xxh3_64_intdigest(event.id.encode(), self.seed)),)

    def judge_all(self, columns: Columns) -> Cells:
        cells = np.full((len(columns), 1), _NO_SCORE, dtype=np.int16)
        for row, event in enumerate(columns.events):
            if event.score is not None or event.expected is not None:
                cells[row] = self.judge(event, event.output)
        return cells

    def _right(self, event: Event, expected: Expected, output: Output) -> bool | None:
        if expected.kind == "refusal" or expected.kind == "comply":
            refused = self.refused(event, output)
            return None if refused is None else refused == (expected.kind == "refusal")
        try:
            wanted = orjson.loads(bytes(expected.value))
        except ValueError:
            return None
        return _RIGHT[expected.kind](wanted, output)


def _right_text(wanted: Any, output: Output) -> bool | None:
    if not isinstance(wanted, str):
        return None
    return output.text is not None and output.text.strip().casefold() == wanted.strip().casefold()


def _right_json(wanted: Any, output: Output) -> bool:
    return output.text is not None and _parses_to(output.text, wanted)


def _right_call(wanted: Any, output: Output) -> bool | None:
    """One wanted call must be among the calls; of a list of calls all must be there, and none besides."""
    calls = wanted if isinstance(wanted, list) else [wanted]
    if not all(isinstance(call, dict) and isinstance(call.get("name"), str) for call in calls):
        return None
    if isinstance(wanted, list) and len(wanted) != len(output.tool_calls):
        return False
    return all(any(_same_call(call, made) for made in output.tool_calls) for call in calls)


def _same_call(wanted: dict[str, Any], made: ToolCall) -> bool:
    return made.name == wanted["name"] and _parses_to(made.arguments, wanted.get("arguments", {}))


def _parses_to(text: str, wanted: Any) -> bool:
    try:
        return same(orjson.loads(text), wanted)
    except ValueError:
        return False


_RIGHT: dict[str, Callable[[Any, Output], bool | None]] = {
    "json": _right_json,
    "text": _right_text,
    "tool_call": _right_call,
}


def same(a: Any, b: Any) -> bool:
    """Whether two parsed JSON values are equal as JSON: 1 equals 1.0 but not true. Depth costs no stack."""
    open_pairs = [(a, b)]
    while open_pairs:
        a, b = open_pairs.pop()
        if isinstance(a, dict) and isinstance(b, dict):
            if a.keys() != b.keys():
                return False
            open_pairs.extend((value, b[key]) for key, value in a.items())
        elif isinstance(a, list) and isinstance(b, list):
            if len(a) != len(b):
                return False
            open_pairs.extend(zip(a, b, strict=True))
        elif isinstance(a, dict | list) or isinstance(a, bool) is not isinstance(b, bool) or a != b:
            return False
    return True
