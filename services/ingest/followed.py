"""A file of a followed folder as a source: by its open handle, whatever it is called, and never half cut."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any, Final, cast

from monitor.run import Run
from services.errors import ChangedError, DamagedError
from services.ingest.folder import Found, as_found, is_compressed
from services.ingest.jsonl import HEAD, JsonlFile, incarnation
from services.ingest.unpacked import Unpacked
from services.ports import Clock

_EMPTY: Final = b"\0 \t\r\n\xef\xbb\xbf"
"""What may lie before the first brace: space, a mark of byte order, the hole of a log that was cut while written."""


class Followed(JsonlFile):
    """One file whose log is known by its first line, under a name that stays when the file's changes.

    `head` are its first bytes. Raises `ChangedError` where it no longer is the file that was opened, `DamagedError`
    where that cannot be said or read of a compressed one, and `OSError` where it cannot be opened.
    """

    def __init__(self, found: Found, clock: Clock) -> None:
        raw = found.path.open("rb")
        super().__init__(found.path, clock, follow=True, file=raw)
        self.compressed = is_compressed(found.path.name)
        self._raw = raw
        self._checked = ""
        try:
            now = self.status()
            if now.key != found.key or now.size < found.size:
                raise ChangedError(f"{found.path} is another file by now")
            if self.compressed:
                self._file = cast("Any", Unpacked(found.path, raw))
            self.head = self._file.read(HEAD) if self.compressed else self._bytes(0, HEAD)
            if not self.named:
                self._refuse_damaged()
        except BaseException:
            raw.close()
            raise
        self._incarnation = incarnation(self.head)

    @property
    def incarnation(self) -> str:
        """The hash of the first line that the file had when it was opened."""
        return self._incarnation

    @property
    def size(self) -> int:
        """Bytes of the log that the file holds now."""
        if not self.compressed:
            return super().size
        size = cast("Unpacked", self._file).size()
        self._refuse_damaged()
        return size

    @property
    def named(self) -> bool:
        """Whether its first line is whole, so that it says which log this is."""
        return b"\n" in self.head or len(self.head) == HEAD

    @property
    def events(self) -> bool:
        """Whether any of its first lines may be an event, so that the file may be a log of them."""
        return any(line.lstrip(_EMPTY).startswith(b"{") for line in self.head.split(b"\n"))

    def seems_read(self, offset: int) -> bool:
        """Whether a gzip file says that it holds just so many bytes. It may be wrong: files of several parts are."""
        size = self.status().size
        return self.path.suffix == ".gz" and os.pread(self._raw.fileno(), 4, size - 4) == (offset % 2**32).to_bytes(
            4, "little"
        )

    def status(self) -> Found:
        """What the open file is like now."""
        return as_found(self.path, os.fstat(self._raw.fileno()))

    def holds(self, offset: int, mark: str) -> bool:
        """Whether the file begins as it did and holds what was read up to `offset`."""
        begins = self.compressed or incarnation(self._bytes(0, HEAD)) == self._incarnation
        return begins and (offset == 0 or self.mark(offset) == mark)

    def has_more(self, offset: int) -> bool:
        """Whether anything lies behind `offset`."""
        return bool(self._bytes(offset, 1))

    def check(self, offset: int, mark: str) -> None:
        """Raises `ChangedError` unless the file still holds what was read up to `offset`."""
        if not self.holds(offset, mark):
            raise ChangedError(f"{self.path}: was cut or written anew before position {offset}")
        self._checked = mark

    def runs(self, offset: int) -> Iterator[Run]:
        """As those of any file; none that a cut of the file while it was read could have spoilt."""
        for run in super().runs(offset):
            if not self.compressed:  # which is written once
                self.check(run.start, self._checked)
                if run.end > self.size:
                    raise ChangedError(f"{self.path}: was cut while it was read")
            yield run
            self._checked = run.mark
        if self.compressed:
            _ = self.size  # raises where the end is not the log's

    def _bytes(self, start: int, size: int) -> bytes:
        if not self.compressed:
            return super()._bytes(start, size)
        self._file.seek(start)
        found = self._file.read(size) if self._file.tell() == start else b""
        if len(found) < size:
            self._refuse_damaged()
        return found

    def _refuse_damaged(self) -> None:
        if self.compressed and (damaged := cast("Unpacked", self._file).damaged):
            raise DamagedError(damaged)
