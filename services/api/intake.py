"""Request bodies into raw records: bounded, unpacked, split, and not looked into."""

from __future__ import annotations

import zlib
from collections.abc import AsyncIterator

import msgspec

from monitor.wire import MAX_BYTES
from services.api.reply import Problem

MAX_REQUEST = 64 * 1024 * 1024

_array = msgspec.json.Decoder(list[msgspec.Raw])
_value = msgspec.json.Decoder(msgspec.Raw)
_BROKEN = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


async def read_body(chunks: AsyncIterator[bytes], encoding: str) -> bytes:
    """A request's body, unpacked; a `Problem` if it is too large, packed wrongly or in an unknown way."""
    if encoding not in ("", "identity", "gzip", "x-gzip"):
        raise Problem(415, "unknown_encoding", "content-encoding may be gzip or identity")
    unpack = _Gunzip() if "gzip" in encoding else None
    body, packed = bytearray(), 0
    async for chunk in chunks:
        packed += len(chunk)
        body += chunk if unpack is None else unpack(chunk, MAX_REQUEST - len(body))
        if packed > MAX_REQUEST or len(body) > MAX_REQUEST:
            raise Problem(413, "too_large", f"a request has at most {MAX_REQUEST} bytes, unpacked")
    if unpack is not None and packed:
        unpack.close()
    return bytes(body)


class _Gunzip:
    """Unpacks gzip as it comes, several members too, and never more than it is allowed to."""

    def __init__(self) -> None:
        self._member = zlib.decompressobj(wbits=31)
        self._begun = False

    def __call__(self, data: bytes, room: int) -> bytes:
        """What `data` unpacks to: at most `room` + 1 bytes, so that the caller sees that there is too much."""
        found = bytearray()
        try:
            while data and len(found) <= room:
                if self._member.eof:
                    self._member = zlib.decompressobj(wbits=31)
                self._begun = True
                found += self._member.decompress(data, room + 1 - len(found))
                data = self._member.unused_data if self._member.eof else self._member.unconsumed_tail
        except zlib.error:
            raise Problem(400, "broken_gzip", "the body is not gzip") from None
        return bytes(found)

    def close(self) -> None:
        """Refuses a body that ends in the middle of a member."""
        if not self._member.eof:
            raise Problem(400, "broken_gzip", "the gzip body is cut off")


def split(body: bytes) -> list[bytes]:
    """The raw records of a body: one value, the elements of an array, or lines. What is none of it is one record.

    A record above the limit is cut right behind it, so that it is quarantined as oversized and fills no disk.
    """
    return [raw[: MAX_BYTES + 1] for raw in _records(body.strip())]


def _records(body: bytes) -> list[bytes]:
    if not body:
        return []
    if body[:1] == b"[":
        try:
            return [bytes(raw) for raw in _array.decode(body)]
        except _BROKEN:
            return [body]
    if _whole(body):
        return [body]
    lines = [line for line in map(bytes.strip, body.split(b"\n")) if line]
    objects = all(line.startswith(b"{") for line in lines)
    return lines if len(lines) > 1 and (objects or _whole(lines[0])) else [body]


def _whole(text: bytes) -> bool:
    """Whether a text is exactly one JSON value."""
    try:
        _value.decode(text)
    except _BROKEN:
        return False
    return True
