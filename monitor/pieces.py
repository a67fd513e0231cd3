"""Raw records as a source hands them over: one by one, or as whole lines that are cut only where that is needed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import accumulate


@dataclass(frozen=True, slots=True)
class Listed:
    """Records with their positions, parallel; `arrivals` are arrival stamps in milliseconds where there are any."""

    positions: Sequence[int]
    records: Sequence[bytes]
    arrivals: Sequence[int] | None = None


@dataclass(slots=True)
class Lines:
    """Consecutive lines as bytes, the first of which is at position `start`; the last one's newline may be missing.

    A blank line is no record. Lines that follow one another to the letter, one request each, are never cut: they are
    decoded as they are.
    """

    start: int
    body: bytes
    _listed: Listed | None = field(default=None, init=False, repr=False, compare=False)

    @property
    def listed(self) -> Listed:
        """The records, without the ends of their lines, and where each begins."""
        if self._listed is None:
            self._listed = _cut(self.start, self.body)
        return self._listed


Piece = Listed | Lines


def listed(piece: Piece) -> Listed:
    """The records of a piece."""
    return piece if isinstance(piece, Listed) else piece.listed


def _cut(start: int, body: bytes) -> Listed:
    lines = body.removesuffix(b"\n").split(b"\n")
    begins = list(accumulate([len(line) + 1 for line in lines[:-1]], initial=start))
    if min(lines) >= b"{" and b"\r" not in body:
        return Listed(begins, lines)  # every line begins with a brace, so none is blank
    kept = [(begin, line.rstrip(b"\r\n")) for begin, line in zip(begins, lines, strict=True) if not _blank(line)]
    return Listed([begin for begin, _ in kept], [line for _, line in kept])


def _blank(line: bytes) -> bool:
    return not line or line.isspace()
