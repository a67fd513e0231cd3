"""What one arm's output amounts to, signal by signal, as small integers that can be stored and compared.

Yes/no signals give 1 (yes) or 0 (no); value signals (score, length) give 0..65535; a negative number is a missing
reason, the same code everywhere.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from monitor.model import Definition, Event, Missing, Output
from monitor.signals.family import Family

Outcomes = dict[str, int]
Value = Callable[[Event, Output], int | None]

_CODES: Final = {reason: -1 - index for index, reason in enumerate(Missing)}
_PAIRED_YES: Final = {"tool_call": ("bad", "no_call")}
"""A build that stops calling tools leaves no bad call behind: between arms, no call where tools were offered counts."""
_REASONS: Final = {code: reason for reason, code in _CODES.items()}


def code(reason: Missing) -> int:
    """The negative integer that stands for a missing reason."""
    return _CODES[reason]


def reason(outcome: int) -> Missing | None:
    """The missing reason that an outcome stands for, or None if it is none."""
    return _REASONS.get(outcome)


class Judge:
    """Computes the paired outcomes of an output, in the context of its event; the same for every arm."""

    def __init__(self, families: Sequence[Family], values: dict[str, Value]) -> None:
        self._families = families
        self._values = values
        self._tables = [[_table(d) for d in family.definitions] for family in families]
        self.signals: tuple[str, ...] = (
            *(d.signal for family in families for d in family.definitions if d.yes),
            *values,
        )

    def __call__(self, event: Event, output: Output | None) -> Outcomes:
        """One outcome per paired signal; all missing where there is no output."""
        if output is None:
            return dict.fromkeys(self.signals, code(Missing.NO_CONTENT))
        found: Outcomes = {}
        for family, tables in zip(self._families, self._tables, strict=True):
            for definition, table, cell in zip(family.definitions, tables, family.judge(event, output), strict=True):
                if definition.yes:
                    found[definition.signal] = table[cell]
        for signal, value in self._values.items():
            number = value(event, output)
            found[signal] = code(Missing.NO_SCHEMA) if number is None else number
        return found


def _table(definition: Definition) -> list[int]:
    """For each cell of a yes/no signal, its outcome."""
    known = {str(reason): code(reason) for reason in Missing}
    fallback = code(Missing.NO_SCHEMA)
    yes = _PAIRED_YES.get(definition.signal, definition.yes)
    return [
        1 if cell in yes else 0 if cell in definition.no else known.get(cell, fallback) for cell in definition.cells
    ]
