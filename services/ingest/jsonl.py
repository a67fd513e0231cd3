"""JSONL files as a source: position = byte offset, identity = the first line and the bytes before the offset."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

import xxhash

from monitor.pieces import Lines
from monitor.run import Run
from monitor.wire import MAX_BYTES
from services.errors import GapError, UsageError
from services.gap import Gap, Reason

RUN_BYTES = 32 * 1024 * 1024
"""Bytes committed together, about: some 20,000 records, so that a transaction's own cost is spread."""

BLOCK = 256 * 1024
"""Bytes read at once, and decoded together: some hundred records, which stay near the processor's cache."""

HEAD = 65_536
"""Bytes of a first line that tell one log from another."""
_MARK = 4_096


class JsonlFile:
    """One file of records, a line each. Blank lines are no records. Nothing is skipped silently.

    With `follow`, a last line without its newline waits for the rest; else it is taken as it is. `file` is the file
    where it is open already.
    """

    def __init__(
        self, path: Path, clock: Callable[[], int], *, follow: bool = False, file: BinaryIO | None = None
    ) -> None:
        self.path = path
        self.clock = clock
        self.follow = follow
        self.name = f"file:{path.resolve()}"
        try:
            self._file: BinaryIO = file or path.open("rb")
        except OSError as error:
            raise UsageError(f"{path}: {error.strerror or 'cannot be read'}") from None
        if path.is_dir():
            raise UsageError(f"{path}: is a directory")

    @property
    def incarnation(self) -> str:
        """A hash of the first line: another log under the same name is another incarnation."""
        return incarnation(self._bytes(0, HEAD))

    @property
    def size(self) -> int:
        """Bytes in the file now, whatever it is called now."""
        return os.fstat(self._file.fileno()).st_size

    def mark(self, offset: int) -> str:
        """A hash of the bytes before an offset, by which a log that was rewritten is noticed."""
        start = max(0, offset - _MARK)
        return xxhash.xxh3_64_hexdigest(self._bytes(start, offset - start))

    def check(self, offset: int, mark: str) -> None:
        """Raises `GapError` unless the file still holds what was read up to `offset`."""
        if offset > self.size:
            gap = Gap(self.name, offset, None, Reason.CUT)
            raise GapError(f"{self.path}: was cut; position {offset} lies behind its end at {self.size}", gap)
        if offset and mark and self.mark(offset) != mark:
            gap = Gap(self.name, offset, None, Reason.REWRITTEN)
            raise GapError(f"{self.path}: was rewritten before position {offset}; give the new log another name", gap)

    def runs(self, offset: int) -> Iterator[Run]:
        """Runs from `offset` to the end of the file as it is now; the last one is drained, and may be empty."""
        while True:
            run = self._run(offset)
            yield run
            if run.drained:
                return
            offset = run.end

    def close(self) -> None:
        """Gives the file handle back."""
        self._file.close()

    def _bytes(self, start: int, size: int) -> bytes:
        """What lies there on the disk now; less at the end of the file. The reader's own buffer may be older."""
        return os.pread(self._file.fileno(), size, start)

    def _run(self, start: int) -> Run:
        lines: list[Lines] = []
        self._file.seek(start)
        at, more = start, True
        while more and at - start < RUN_BYTES:
            body, passed = self._whole_lines() or self._last_or_long_line()
            if body:
                lines.append(Lines(at, body))
            at, more = at + passed, passed > 0
        return Run(
            source=self.name,
            incarnation=self.incarnation,
            start=start,
            end=at,
            positions=(),
            records=(),
            clock=self.clock(),
            drained=not more,
            mark=self.mark(at),
            lines=lines,
        )

    def _whole_lines(self) -> tuple[bytes, int] | None:
        """The lines that end in the next block, and their size; None where none does."""
        here = self._file.tell()
        block = self._file.read(BLOCK)
        size = block.rfind(b"\n") + 1
        if size < len(block):
            self._file.seek(here + size)
        return (block[:size], size) if size else None

    def _last_or_long_line(self) -> tuple[bytes, int]:
        """The line that no block holds whole, and by how many bytes to go on; nothing and 0 at the log's end."""
        line = self._file.readline(MAX_BYTES + 2)
        if not line or (self.follow and not line.endswith(b"\n") and len(line) <= MAX_BYTES):
            return b"", 0
        skipped = self._skip_line() if not line.endswith(b"\n") and len(line) > MAX_BYTES else 0
        return line, len(line) + skipped

    def _skip_line(self) -> int:
        """Reads on to the end of an oversized line, of which only the beginning is kept; returns the bytes."""
        skipped = 0
        while chunk := self._file.readline(1 << 20):
            skipped += len(chunk)
            if chunk.endswith(b"\n"):
                break
        return skipped


def incarnation(head: bytes) -> str:
    """The hash of a log's first line, from its first bytes: `HEAD` of them, or all."""
    line, newline, _ = head.partition(b"\n")
    return xxhash.xxh3_64_hexdigest(line + newline)
