"""Why answers end: the reason that the engine gives, by name."""

from __future__ import annotations

from typing import Final

import numpy as np

from monitor.model import Definition, Event, Output
from monitor.signals.columns import Columns
from monitor.signals.family import Cells, sealed

REASONS: Final = ("stop", "length", "tool_calls", "content_filter", "other")
_CELLS: Final = (*REASONS, "no_content", "not_observed")
_OTHER, _NO_CONTENT, _NOT_OBSERVED = range(len(REASONS) - 1, len(_CELLS))
_AT: Final[dict[str | None, int]] = {
    **{reason: cell for cell, reason in enumerate(REASONS)},
    "function_call": REASONS.index("tool_calls"),
    None: _NOT_OBSERVED,
}
"""Engines agree on these names; `function_call` is an older one. What is not among them is `other`."""


class Finish:
    """One signal, `finish_reason`, whose cells are categories: none of them is harm by itself, a shift may be.

    Only what was logged has one; a replay is cut off by limits of its own.
    """

    def __init__(self) -> None:
        self.definitions: tuple[Definition, ...] = (sealed(Definition("finish_reason", "finish", _CELLS)),)

    def judge(self, event: Event, output: Output | None) -> tuple[int, ...]:
        return (_cell(output),)

    def judge_all(self, columns: Columns) -> Cells:
        return np.array(list(map(_cell, columns.outputs)), dtype=np.int16).reshape(-1, 1)


def _cell(output: Output | None) -> int:
    return _NO_CONTENT if output is None else _AT.get(output.finish_reason, _OTHER)
