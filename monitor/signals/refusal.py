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
from numba import njit
from numpy.typing import NDArray

from monitor.model import Definition, Event, Output
from monitor.signals.family import Cells, sealed
from monitor.signals.text import PRIME, Bytes, Offsets, pack, word_hashes

CAP = 400
"""Only this many bytes of an output are read."""

BITS = 15
MOST = 2 * CAP
"""No text has more different features than this."""

CELLS = ("none", "partial", "full", "no_content")
NONE, NO_CONTENT = 0, 3

_DOWN = np.uint64(64 - BITS)
_TURN, _BACK = np.uint64(31), np.uint64(33)


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
        """The shipped classifier, or one trained without a family: `refusal_without_llama2`, `_mistral`, `_gpt4`."""
        with (files("monitor") / "data" / f"{name}.npz").open("rb") as file, np.load(file, allow_pickle=False) as npz:
            return cls.sparse(npz["slots"], npz["values"], npz["limits"])

    @classmethod
    def sparse(cls, slots: Offsets, values: NDArray[np.int16], limits: NDArray[np.int64]) -> RefusalWeights:
        """From the rows that are not zero."""
        table = np.zeros((1 << BITS, 2), dtype=np.int16)
        table[slots] = values
        table.setflags(write=False)
        frozen = np.ascontiguousarray(limits, dtype=np.int64)
        frozen.setflags(write=False)
        return cls(table, frozen)

    @property
    def content(self) -> bytes:
        """Every byte that decides an outcome, for the definition's digest."""
        return self.table.tobytes() + self.limits.tobytes()


class Refusal:
    """The family with one signal, `refusal`. Tool calls without text count as not declined.

    Text in other languages than English is read as not declined, with few exceptions.
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
        return (int(self._cells([output])[0]),)

    def judge_all(self, events: Sequence[Event]) -> Cells:
        """The cells of the events' own outputs, shape (n, 1)."""
        return self._cells([event.output for event in events]).reshape(-1, 1)

    def _cells(self, outputs: Sequence[Output | None]) -> Cells:
        texts = [output.text or "" if output is not None else "" for output in outputs]
        cells = self.texts(texts)
        for row, text in enumerate(texts):
            if not text or text.isspace():
                output = outputs[row]
                cells[row] = NONE if output is not None and output.tool_calls else NO_CONTENT
        return cells

    def texts(self, texts: Sequence[str]) -> Cells:
        """None, partial or full for each text, whatever it came from."""
        buffer, offsets = pack(texts, CAP)
        cells = np.empty(len(texts), dtype=np.int16)
        _classify(buffer, offsets, self.weights.table, self.weights.limits, cells)
        return cells


def slots(texts: Iterable[str]) -> tuple[Offsets, NDArray[np.int64]]:
    """What the classifier sees, for its trainer: row starts, and the different feature slots row after row."""
    buffer, offsets = pack(list(texts), CAP)
    starts = np.zeros(len(offsets), dtype=np.int64)
    found = np.empty(2 * len(buffer) + MOST, dtype=np.int64)
    _collect(buffer, offsets, starts, found)
    return starts, found[: starts[-1]]


@njit(cache=True)  # type: ignore[untyped-decorator]
def _features(
    buffer: Bytes, start: int, stop: int, words: NDArray[np.uint64], stamps: NDArray[np.int32], stamp: int, out: Offsets
) -> int:
    """Write each different slot of a text once to `out`; returns how many. `stamps` remembers what `stamp` has seen."""
    count = word_hashes(buffer, start, stop, words)
    found = 0
    before = np.uint64(0)
    for at in range(count):
        word = words[at]
        slot = np.int64(word >> _DOWN)
        if stamps[slot] != stamp:
            stamps[slot] = stamp
            out[found] = slot
            found += 1
        if at > 0:
            slot = np.int64((((before << _TURN) ^ (before >> _BACK) ^ word) * PRIME) >> _DOWN)
            if stamps[slot] != stamp:
                stamps[slot] = stamp
                out[found] = slot
                found += 1
        before = word
    return found


@njit(cache=True)  # type: ignore[untyped-decorator]
def _classify(
    buffer: Bytes, offsets: Offsets, table: NDArray[np.int16], limits: NDArray[np.int64], cells: Cells
) -> None:
    words = np.empty(CAP + 1, dtype=np.uint64)
    stamps = np.zeros(1 << BITS, dtype=np.int32)
    found = np.empty(MOST, dtype=np.int64)
    for row in range(len(offsets) - 1):
        count = _features(buffer, offsets[row], offsets[row + 1], words, stamps, row + 1, found)
        declined, full = 0, 0
        for at in range(count):
            declined += table[found[at], 0]
            full += table[found[at], 1]
        if declined <= limits[0, count]:
            cells[row] = 0
        else:
            cells[row] = 2 if full > limits[1, count] else 1


@njit(cache=True)  # type: ignore[untyped-decorator]
def _collect(buffer: Bytes, offsets: Offsets, starts: Offsets, found: Offsets) -> None:
    words = np.empty(CAP + 1, dtype=np.uint64)
    stamps = np.zeros(1 << BITS, dtype=np.int32)
    for row in range(len(offsets) - 1):
        room = found[starts[row] :]
        count = _features(buffer, offsets[row], offsets[row + 1], words, stamps, row + 1, room)
        starts[row + 1] = starts[row] + count
