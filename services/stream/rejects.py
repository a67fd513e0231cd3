"""The stop limit: what rejects one record after the other has the wrong plan or the wrong topic before it."""

from __future__ import annotations

from typing import Final

from monitor.run import Batch
from services.errors import RejectsError

DEFAULT: Final = 1_000
_NOT_OF_THE_RECORD: Final = ("late", "early", "unmatched_score", "unmatched_feedback")
"""Reasons that lie in what came before, not in the record."""


class RejectLimit:
    """Counts rejects in a row, source by source. `most` of 0 means no limit."""

    def __init__(self, most: int = DEFAULT) -> None:
        self._most = most
        self._rows: dict[str, tuple[int, int]] = {}

    def see(self, batch: Batch, number: int) -> None:
        """Looks at a run of so many records before it is committed; `positions` of rejects are their places in it.

        Raises `RejectsError` at one too many, so that the run stays in the log.
        """
        rejected = {row.position for row in batch.quarantine if row.reason not in _NOT_OF_THE_RECORD}
        end, row = self._rows.pop(batch.source, (batch.start, 0))
        row = row if end == batch.start else 0
        longest, row = _in_a_row(rejected, number, row)
        if longest >= self._most > 0:
            raise RejectsError(_text(batch, longest))
        self._rows[batch.source] = batch.end, row


def _in_a_row(rejected: set[int], number: int, row: int) -> tuple[int, int]:
    """The longest row, with `row` rejects before the first place, and the one that goes on behind the last."""
    if not rejected:
        return row if not number else 0, row if not number else 0
    longest = row
    for place in range(number):
        row = row + 1 if place in rejected else 0
        longest = max(longest, row)
    return longest, row


def _text(batch: Batch, row: int) -> str:
    reasons = ", ".join(sorted({each.reason for each in batch.quarantine}))
    return (
        f"{row:,} records in a row of {batch.source} cannot be taken ({reasons}); stopped before offset {batch.end:,}. "
        "Is it the right topic and plan? `--reject-limit 0` goes on"
    )
