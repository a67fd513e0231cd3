"""Whole lines of a log, block by block: read at once, or planned first and read when they are asked for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from monitor.pieces import Lines
from monitor.wire import MAX_BYTES

RUN_BYTES: Final = 32 * 1024 * 1024
"""Bytes committed together, about: some 20,000 records, so that a transaction's own cost is spread."""

BLOCK: Final = 256 * 1024
"""Bytes read at once, and decoded together: some hundred records, which stay near the processor's cache."""

LONGEST: Final = MAX_BYTES + 2
"""Bytes kept of a line that is too long; enough to see that it is."""

_NEAR: Final = 16 * 1024
"""Bytes at a block's end in which its last newline is looked for first."""

Bytes = Callable[[int, int], bytes]
"""The bytes from a position on, so many of them, fewer only at the log's end."""

Span = tuple[int, int]
"""Where some lines begin, and how many bytes of them count."""


class Readable(Protocol):
    """What can be read from anywhere, from there on."""

    def seek(self, offset: int, /) -> object: ...

    def tell(self) -> int: ...

    def read(self, size: int, /) -> bytes: ...

    def readline(self, size: int, /) -> bytes: ...


@dataclass(frozen=True, slots=True)
class Stretch:
    """Lines up to `end`; `more` says that the log may go on there."""

    spans: Sequence[Span]
    end: int
    more: bool


def plan(read: Bytes, start: int, *, wait: bool) -> Stretch:
    """Where the next lines lie, enough for a run. With `wait`, an unfinished last line is none yet."""
    spans: list[Span] = []
    at, passed = start, 1
    while passed and at - start < RUN_BYTES:
        passed = _whole_lines(read, at) or _line(read, at, wait=wait)
        if passed:
            spans.append((at, passed if passed <= BLOCK else min(passed, LONGEST)))
        at += passed
    return Stretch(spans, at, passed > 0)


def take(file: Readable, start: int, *, wait: bool) -> tuple[list[Lines], int, bool]:
    """The same lines, read at once, with where they end and whether the log may go on there."""
    lines: list[Lines] = []
    file.seek(start)
    at, more = start, True
    while more and at - start < RUN_BYTES:
        body, passed = _take_lines(file) or _take_line(file, wait=wait)
        if body:
            lines.append(Lines(at, body))
        at, more = at + passed, passed > 0
    return lines, at, more


def _whole_lines(read: Bytes, at: int) -> int:
    """How many bytes of the next block are lines with their ends."""
    size = min(_NEAR, BLOCK)
    near = read(at + BLOCK - size, size)
    if len(near) == size and b"\n" in near:
        return BLOCK - size + near.rfind(b"\n") + 1
    return read(at, BLOCK).rfind(b"\n") + 1


def _line(read: Bytes, at: int, *, wait: bool) -> int:
    """The length of the line that no block holds whole; 0 at the log's end."""
    size = 0
    while chunk := read(at + size, BLOCK):
        newline = chunk.find(b"\n")
        if newline >= 0:
            return size + newline + 1
        size += len(chunk)
    return 0 if wait and size <= MAX_BYTES else size


def _take_lines(file: Readable) -> tuple[bytes, int] | None:
    """The lines that end in the next block, and their size; None where none does."""
    here = file.tell()
    block = file.read(BLOCK)
    size = block.rfind(b"\n") + 1
    if size < len(block):
        file.seek(here + size)
    return (block[:size], size) if size else None


def _take_line(file: Readable, *, wait: bool) -> tuple[bytes, int]:
    """The line that no block holds whole, and by how many bytes to go on; nothing and 0 at the log's end."""
    line = file.readline(LONGEST)
    if not line or (wait and not line.endswith(b"\n") and len(line) <= MAX_BYTES):
        return b"", 0
    skipped = _skip_line(file) if not line.endswith(b"\n") and len(line) > MAX_BYTES else 0
    return line, len(line) + skipped


def _skip_line(file: Readable) -> int:
    """Reads on to the end of an oversized line, of which only the beginning is kept; returns the bytes."""
    skipped = 0
    while chunk := file.readline(1 << 20):
        skipped += len(chunk)
        if chunk.endswith(b"\n"):
            break
    return skipped
