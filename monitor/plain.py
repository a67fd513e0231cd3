"""Lines that hold one request each, decoded together: nothing is cut, and no line is touched twice."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from monitor.model import Event
from monitor.wire import decode_lines

_CHUNK = 64
_NEWLINE, _OPENS, _CLOSES = 10, ord("{"), ord("}")


def decode_plain(body: bytes) -> list[Event] | None:
    """The requests of lines that hold nothing else, as decoding them one by one gives them; else None.

    The decoder takes values however they are spaced; that each line holds exactly one follows from two counts. Where
    every line but the last ends with a brace and every one but the first begins with one, no value goes across a
    newline: inside a value no opening brace may follow a closing one, and strings hold no raw newline. So each line
    holds at least one value, and if there are as many as lines, each holds one.
    """
    lines, plain = _boundaries(np.frombuffer(body, dtype=np.uint8))
    if plain != lines - 1:
        return None
    events = decode_lines(body)
    return events if events is not None and len(events) == lines else None


@njit(cache=True)
def _boundaries(body: NDArray[np.uint8]) -> tuple[int, int]:
    """How many lines there are, and how many of the boundaries between them are `}`, newline, `{`."""
    size = len(body)
    lines, plain, start = 0, 0, 0
    while start < size:
        stop = start + _CHUNK
        found = np.uint8(stop > size)
        if stop <= size:
            for at in range(start, start + _CHUNK):  # without branches: many bytes are compared at once
                found |= np.uint8(body[at] == _NEWLINE)
        if found:
            for at in range(start, min(stop, size)):
                if body[at] == _NEWLINE:
                    lines += 1
                    if 0 < at < size - 1:
                        plain += (body[at - 1] == _CLOSES) & (body[at + 1] == _OPENS)
        start = stop
    return lines + int(size > 0 and body[size - 1] != _NEWLINE), plain
