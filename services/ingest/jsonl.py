"""JSONL files as a source: position = byte offset, identity = the first line and the bytes before the offset."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

import xxhash

from monitor.run import Run
from monitor.wire import MAX_BYTES
from services.errors import GapError, UsageError

RUN_RECORDS = 8_192
RUN_BYTES = 16 * 1024 * 1024
_MARK = 4_096


class JsonlFile:
    """One file of records, a line each. Blank lines are no records. Nothing is skipped silently.

    With `follow`, a last line without its newline waits for the rest; else it is taken as it is.
    """

    def __init__(self, path: Path, clock: Callable[[], int], *, follow: bool = False) -> None:
        self.path = path
        self.clock = clock
        self.follow = follow
        self.name = f"file:{path.resolve()}"
        try:
            self._file: BinaryIO = path.open("rb")
        except OSError as error:
            raise UsageError(f"{path}: {error.strerror or 'cannot be read'}") from None
        if path.is_dir():
            raise UsageError(f"{path}: is a directory")

    @property
    def incarnation(self) -> str:
        """A hash of the first line: another log under the same name is another incarnation."""
        self._file.seek(0)
        return xxhash.xxh3_64_hexdigest(self._file.readline(65_536))

    @property
    def size(self) -> int:
        """Bytes in the file now."""
        return self.path.stat().st_size

    def mark(self, offset: int) -> str:
        """A hash of the bytes before an offset, by which a log that was rewritten is noticed."""
        start = max(0, offset - _MARK)
        self._file.seek(start)
        return xxhash.xxh3_64_hexdigest(self._file.read(offset - start))

    def check(self, offset: int, mark: str) -> None:
        """Raises `GapError` unless the file still holds what was read up to `offset`."""
        if offset > self.size:
            raise GapError(f"{self.path}: was cut; position {offset} lies behind its end at {self.size}")
        if offset and mark and self.mark(offset) != mark:
            raise GapError(f"{self.path}: was rewritten before position {offset}; give the new log another name")

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

    def _run(self, start: int) -> Run:
        positions: list[int] = []
        records: list[bytes] = []
        self._file.seek(start)
        at, drained = start, False
        while len(records) < RUN_RECORDS and at - start < RUN_BYTES:
            line = self._file.readline(MAX_BYTES + 2)
            if not line or (self.follow and not line.endswith(b"\n") and len(line) <= MAX_BYTES):
                drained = True
                break
            position, at = at, at + len(line)
            if not line.endswith(b"\n") and len(line) > MAX_BYTES:
                at += self._skip_line()
            record = line.rstrip(b"\r\n")
            if record.strip():
                positions.append(position)
                records.append(record)
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

    def _skip_line(self) -> int:
        """Reads on to the end of an oversized line, of which only the beginning is kept; returns the bytes."""
        skipped = 0
        while chunk := self._file.readline(1 << 20):
            skipped += len(chunk)
            if chunk.endswith(b"\n"):
                break
        return skipped
