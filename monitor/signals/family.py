"""What every family of signals offers, and how a definition gets its name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

import msgspec
import numpy as np
import xxhash
from numpy.typing import NDArray

from monitor.model import Definition, Event, Output

if TYPE_CHECKING:  # it brings the compiler along, which readers of definitions do without
    from monitor.signals.columns import Columns

Cells = NDArray[np.int16]


class Family(Protocol):
    """Signals that are computed together because they share work.

    `definitions` is fixed for the life of the object. `judge` returns one cell index per definition and depends on
    its arguments alone. `judge_all` returns shape (len(columns), len(definitions)) and equals
    `judge(event, event.output)` row by row, to the last digit, for every batch.
    """

    @property
    def definitions(self) -> tuple[Definition, ...]: ...

    def judge(self, event: Event, output: Output | None) -> tuple[int, ...]: ...

    def judge_all(self, columns: Columns) -> Cells: ...


def one_by_one(family: Family, events: Sequence[Event]) -> Cells:
    """`judge_all` for a family that gains nothing from batches."""
    rows = [family.judge(event, event.output) for event in events]
    return np.array(rows, dtype=np.int16).reshape(len(events), len(family.definitions))


def sealed(definition: Definition, *artefacts: bytes) -> Definition:
    """The definition with its digest: a hash of everything it says and of the model files it reads."""
    artefact = xxhash.xxh3_64_hexdigest(b"\0".join(artefacts)) if artefacts else ""
    complete = replace(definition, artefact=artefact, digest="")
    return replace(complete, digest=xxhash.xxh3_64_hexdigest(msgspec.json.encode(complete)))
