"""A plain table for terminals: columns as wide as their cells, control characters made visible."""

from __future__ import annotations

from collections.abc import Sequence


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """The table as text, the head first. Cells come from logs and plans: nothing in them moves the cursor."""
    cells = [[_visible(cell) for cell in row] for row in (head, *rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(head))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells]
    return "\n".join(lines)


def line(text: str) -> str:
    """The text as one line that can do nothing to a terminal."""
    return _visible(text)


def _visible(text: str) -> str:
    """Unprintable characters as escapes, so that hostile text can do nothing to a terminal."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
