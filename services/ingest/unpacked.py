"""A compressed file that is read like a plain one, without being unpacked onto the disk."""

from __future__ import annotations

import importlib
import zlib
from pathlib import Path
from typing import Any, BinaryIO, Final

_OPENERS: Final = {".gz": "gzip", ".bz2": "bz2", ".xz": "lzma"}
_BLOCK: Final = 1024 * 1024
_KEPT: Final = 2 * _BLOCK


class Unpacked:
    """Reads and seeks in what the file holds unpacked. Forwards is cheap, as is back by two MiB; further back is not.

    Where the file is broken or ends early it ends with its last whole line, and `damaged` says why. Going anywhere
    tries again, for it may have been written on.
    """

    def __init__(self, path: Path, raw: BinaryIO) -> None:
        self._name = path.name
        module = importlib.import_module(_OPENERS[path.suffix])
        self._open = module.open
        self._broken = (OSError, EOFError, zlib.error, getattr(module, "LZMAError", EOFError))
        self._raw = raw
        self.damaged = ""
        self._kept = bytearray()
        self._from = self._at = 0
        self._rewind()

    def read(self, size: int) -> bytes:
        """The next bytes, fewer only at the end."""
        return self._take(self._at + size)

    def readline(self, size: int) -> bytes:
        """The next line with its end, or so many bytes of it, or the last line without an end."""
        self._fill(self._at + size)
        start = self._at - self._from
        newline = self._kept.find(b"\n", start, start + size)
        if newline < 0 and self.damaged and self._end - self._at < size:
            return b""
        return self._take(self._at + size if newline < 0 else self._from + newline + 1)

    def seek(self, offset: int) -> None:
        """Goes there, or to the end if that comes first."""
        if offset < self._from or self.damaged:
            self._rewind()
        while self._end < offset and self._more():
            self._at = self._end
            self._let_go()
        self._at = min(offset, self._end)

    def tell(self) -> int:
        """Where the next read begins."""
        return self._at

    def size(self) -> int:
        """All the bytes that it holds; reads it to its end."""
        self.seek(self._end)
        while self._more():
            self._at = self._end
            self._let_go()
        return self._end

    def close(self) -> None:
        """Gives the file handle back."""
        self._raw.close()

    @property
    def _end(self) -> int:
        return self._from + len(self._kept)

    def _rewind(self) -> None:
        self._raw.seek(0)
        self.damaged = ""
        self._stream: Any = self._open(self._raw, "rb")
        self._kept = bytearray()
        self._from = self._at = 0

    def _take(self, end: int) -> bytes:
        self._fill(end)
        start, end = self._at - self._from, min(end, self._end)
        taken = bytes(self._kept[start : end - self._from])
        self._at = end
        self._let_go()
        return taken

    def _fill(self, end: int) -> None:
        while self._end < end and self._more():
            pass

    def _more(self) -> bool:
        try:
            block = self._stream.read1(_BLOCK)
        except self._broken as error:
            self.damaged = f"{self._name}: cannot be unpacked ({type(error).__name__})"
            return False
        self._kept += block
        return bool(block)

    def _let_go(self) -> None:
        """Forgets what lies further back than is kept."""
        old = self._at - self._from - _KEPT
        if old > _BLOCK:
            del self._kept[:old]
            self._from += old
