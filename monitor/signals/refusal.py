"""Does an output decline what was asked: in full, in part, or not at all.

A linear model over hashed words and word pairs of the first bytes of the text. Weights are integers, so a score is an
exact sum: a text is judged the same alone as in any batch. What it was trained on and how well it does is in
`docs/signals.md`; the trainer is `monitor.training.refusal`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray

from monitor.model import Definition, Event, Output
from monitor.signals.columns import Columns
from monitor.signals.family import Cells, sealed
from monitor.signals.text import Bytes, Offsets, classify, collect, pack

CAP = 400
"""Only this many bytes of an output are read."""

BITS = 15
MOST = 2 * CAP
"""No text has more different features than this."""

CELLS = ("none", "partial", "full", "no_content")
NONE, NO_CONTENT = 0, 3

_DOWN = np.uint64(64 - BITS)
_SPACE, _FIRST_WIDE = 0x20, 0x80


@dataclass(frozen=True)
class RefusalWeights:
    """A trained classifier as plain integers.

    `table` has a row per feature slot and two columns: declines at all, declines in full. A text with n different
    features declines if its sum exceeds `limits[0, n]`, and then in full if the other sum exceeds `limits[1, n]`.
    """

    table: NDArray[np.int16]
    limits: NDArray[np.int64]

    @classmethod
    def load(cls, name: str = "refusal") -> RefusalWeights:
        """The shipped classifier, or one that never saw a family: `refusal_without_llama2`, `_mistral`, `_gpt4`."""
        path = files("monitor") / "data" / f"{name}.npz"
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            return cls.sparse(arrays["slots"], arrays["values"], arrays["limits"])

    @classmethod
    def sparse(
        cls, slots: NDArray[np.integer], values: NDArray[np.int16], limits: NDArray[np.integer]
    ) -> RefusalWeights:
        """From the rows of the table that are not zero."""
        table = np.zeros((1 << BITS, 2), dtype=np.int16)
        table[slots] = values
        return cls(table, np.ascontiguousarray(limits, dtype=np.int64))

    @property
    def content(self) -> bytes:
        """Every byte that decides an outcome, for the definition's digest."""
        return self.table.tobytes() + self.limits.tobytes()


class Refusal:
    """The family with one signal, `refusal`. Tool calls without text count as not declined, blank output as none.

    It was trained on English; nearly everything in other languages is read as not declined.
    """

    def __init__(self, weights: RefusalWeights | None = None) -> None:
        self.weights = RefusalWeights.load() if weights is None else weights
        bare = Definition(
            signal="refusal", family="refusal", cells=CELLS, yes=("partial", "full"), no=("none",), version=1
        )
        self._definitions = (sealed(bare, self.weights.content),)

    @property
    def definitions(self) -> tuple[Definition, ...]:
        """One definition, whose digest names these weights."""
        return self._definitions

    def judge(self, event: Event, output: Output | None) -> tuple[int, ...]:
        """The cell of one output; the event itself plays no part."""
        text = "" if output is None else output.text or ""
        return (int(self._cells([text], pack([text], CAP), [output])[0]),)

    def judge_all(self, columns: Columns) -> Cells:
        """The cells of the events' own outputs, shape (n, 1)."""
        return self._cells(columns.texts, columns.packed, columns.outputs).reshape(-1, 1)

    def texts(self, texts: Sequence[str]) -> Cells:
        """0 none, 1 partial, 2 full for each text, wherever it came from; blank text is 0."""
        return self._classified(*pack(texts, CAP))

    def _classified(self, buffer: Bytes, offsets: Offsets) -> Cells:
        cells = np.empty(len(offsets) - 1, dtype=np.int16)
        classify(buffer, offsets, CAP, _DOWN, self.weights.table, self.weights.limits, cells)
        return cells

    def _cells(self, texts: Sequence[str], packed: tuple[Bytes, Offsets], outputs: Sequence[Output | None]) -> Cells:
        cells = self._classified(*packed)
        for row in _perhaps_blank(*packed):
            if not texts[row] or texts[row].isspace():
                output = outputs[row]
                cells[row] = NONE if output is not None and output.tool_calls else NO_CONTENT
        return cells


def _perhaps_blank(buffer: Bytes, offsets: Offsets) -> list[int]:
    """Which texts are empty or begin with a space or a byte of another script: no other is blank."""
    begins = offsets[:-1]
    first = buffer[np.minimum(begins, len(buffer) - 1)]
    return np.flatnonzero((begins == offsets[1:]) | (first <= _SPACE) | (first >= _FIRST_WIDE)).tolist()


def slots(texts: Iterable[str]) -> tuple[Offsets, Offsets]:
    """What the classifier sees, for its trainer: row starts, and the different feature slots row after row."""
    buffer, offsets = pack(list(texts), CAP)
    starts = np.zeros(len(offsets), dtype=np.int64)
    found = np.empty(2 * len(buffer) + MOST, dtype=np.int64)
    collect(buffer, offsets, CAP, _DOWN, starts, found)
    return starts, found[: starts[-1]]
