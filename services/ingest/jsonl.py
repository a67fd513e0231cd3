"""JSONL files as a source: position = byte offset, identity = the first line and the bytes before the offset."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

import xxhash

from monitor.pieces import Lines
from monitor.run import Run
from services.errors import GapError, UsageError
from services.gap import Gap, Reason
from services.ingest.blocks import Stretch, plan

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
        lines, end, more = self._lines(start)
        return Run(
            source=self.name,
            incarnation=self.incarnation,
            start=start,
            end=end,
            positions=(),
            records=(),
            clock=self.clock(),
            drained=not more,
            mark=self.mark(end),
            lines=lines,
        )

    def _lines(self, start: int) -> tuple[Iterable[Lines], int, bool]:
        """The lines of a run, with where they end and whether the log may go on there."""
        planned = plan(self._bytes, start, wait=self.follow)
        return Blocks(self, planned), planned.end, planned.more

    def block(self, start: int, size: int) -> Lines:
        """Lines as they lie there; raises `GapError` if the file ends before."""
        body = self._bytes(start, size)
        if len(body) < size:
            self.check(start + size, "")
        return Lines(start, body)


class Blocks:
    """Lines that are read when they are asked for, each time anew: a block is decoded while it is near the processor.

    Raises `GapError` where the file no longer holds what it held when they were planned.
    """

    def __init__(self, file: JsonlFile, planned: Stretch) -> None:
        self._file, self._planned = file, planned
        self._mark = file.mark(planned.end)

    def __iter__(self) -> Iterator[Lines]:
        for start, size in self._planned.spans:
            yield self._file.block(start, size)
        self._file.check(self._planned.end, self._mark)


def incarnation(head: bytes) -> str:
    """The hash of a log's first line, from its first bytes: `HEAD` of them, or all."""
    line, newline, _ = head.partition(b"\n")
    return xxhash.xxh3_64_hexdigest(line + newline)
