"""JSONL files as a source: position = byte offset, identity = the first line and the bytes before the offset."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from itertools import accumulate
from operator import itemgetter
from pathlib import Path
from typing import BinaryIO

import xxhash

from monitor.run import Run
from monitor.wire import MAX_BYTES
from services.errors import GapError, UsageError
from services.gap import Gap, Reason

RUN_RECORDS = 8_192
RUN_BYTES = 16 * 1024 * 1024
HEAD = 65_536
"""Bytes of a first line that tell one log from another."""
_MARK = 4_096
_RETURN, _last = ord("\r"), itemgetter(-1)
_BLOCK = 1024 * 1024
"""Bytes read at once: small enough to be cut into lines while they are in the processor's cache."""


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
        positions: list[int] = []
        records: list[bytes] = []
        self._file.seek(start)
        at, drained = start, False
        while not drained and len(records) < RUN_RECORDS and at - start < RUN_BYTES:
            lines = self._whole_lines(RUN_RECORDS - len(records))
            if lines:
                at = _keep(lines, at, positions, records)
            else:
                at, drained = self._last_or_long_line(at, positions, records)
        return Run(
            source=self.name,
            incarnation=self.incarnation,
            start=start,
            end=at,
            positions=positions,
            records=records,
            clock=self.clock(),
            drained=drained,
            mark=self.mark(at),
        )

    def _whole_lines(self, most: int) -> list[bytes]:
        """The next lines, at most so many, without their ends; none where the next block holds no whole one."""
        here = self._file.tell()
        block = self._file.read(_BLOCK)
        lines = block.split(b"\n", most)
        rest = len(lines.pop())
        if rest:
            self._file.seek(here + len(block) - rest)
        return lines

    def _last_or_long_line(self, at: int, positions: list[int], records: list[bytes]) -> tuple[int, bool]:
        """Takes a line that no block holds whole; returns where the next one begins, and whether the log is drained."""
        line = self._file.readline(MAX_BYTES + 2)
        if not line or (self.follow and not line.endswith(b"\n") and len(line) <= MAX_BYTES):
            return at, True
        _keep([line.removesuffix(b"\n")], at, positions, records)
        skipped = self._skip_line() if not line.endswith(b"\n") and len(line) > MAX_BYTES else 0
        return at + len(line) + skipped, False

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


def _keep(lines: list[bytes], at: int, positions: list[int], records: list[bytes]) -> int:
    """Adds those that are no blank lines, each with where it begins; returns where the next one does."""
    begins = list(accumulate([len(line) + 1 for line in lines], initial=at))
    if min(lines) < b"{" or _RETURN in map(_last, lines):
        for line, begin in zip(lines, begins, strict=False):
            if line and not line.isspace():
                positions.append(begin)
                records.append(line.rstrip(b"\r\n"))
    else:  # every line begins with a brace, so none is blank
        positions += begins[:-1]
        records += lines
    return begins[-1]
