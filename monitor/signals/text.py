"""Words of a text as 64-bit hashes: one compiled pass over bytes, shared by the signals that read language.

A word is a run of letters, digits and underscores, or bytes of other scripts; ASCII is folded to lower case and
apostrophes, straight or curly, are dropped, so that "Can't", "can’t" and "cant" are one word. Ideographs and kana
stand alone, one word each. Everything is integer arithmetic: a text hashes the same alone as in any batch.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numba import njit
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]
Offsets = NDArray[np.int64]

BREAK, APOSTROPHE, RARE = 0, 127, 127
PUNCTUATION = 0xE2
IDEOGRAPHS = (0xE3, 0xED)
BASIS = np.uint64(0xCBF29CE484222325)
PRIME = np.uint64(0x9E3779B97F4A7C15)
SHIFT = np.uint64(29)


def _folding() -> Bytes:
    table = np.zeros(256, dtype=np.uint8)
    for byte in range(256):
        if chr(byte).isalnum() and byte < 128:
            table[byte] = ord(chr(byte).lower())
    table[ord("_")] = ord("_")
    table[ord("'")] = APOSTROPHE
    table[128:] = np.arange(128, 256)
    return table


FOLD = _folding()


def pack(texts: Sequence[str], cap: int) -> tuple[Bytes, Offsets]:
    """The first `cap` bytes of each text, end to end, and where each begins and ends.

    What lies behind the first `cap` characters is never looked at.
    """
    return _end_to_end([text[:cap].encode("utf-8", "replace")[:cap] for text in texts])


def pack_ends(texts: Sequence[str], cap: int) -> tuple[Bytes, Offsets]:
    """The same of texts cut in the middle: the first and the last `cap` bytes with the length as a word between."""
    return _end_to_end([_ends(text, cap) for text in texts])


def _ends(text: str, cap: int) -> bytes:
    if len(text) <= 2 * cap:
        whole = text.encode("utf-8", "replace")
        if len(whole) <= 2 * cap:
            return whole
    head = text[:cap].encode("utf-8", "replace")[:cap]
    tail = text[-cap:].encode("utf-8", "replace")[-cap:]
    return b"%b %d %b" % (head, len(text), tail)


def _end_to_end(parts: Sequence[bytes]) -> tuple[Bytes, Offsets]:
    offsets = np.zeros(len(parts) + 1, dtype=np.int64)
    np.cumsum(np.fromiter(map(len, parts), dtype=np.int64, count=len(parts)), out=offsets[1:])
    return np.frombuffer(b"".join(parts) or b"\0", dtype=np.uint8), offsets


@njit(cache=True)  # type: ignore[untyped-decorator]
def word_hashes(buffer: Bytes, start: int, stop: int, out: NDArray[np.uint64]) -> int:
    """Write the hash of each word of `buffer[start:stop]` to `out`; returns how many there are.

    `out` needs room for one more than there are bytes.
    """
    count = 0
    state = BASIS
    at = start
    while at < stop:
        folded = FOLD[buffer[at]]
        at += 1
        if folded >= RARE:
            if folded == APOSTROPHE:
                continue
            if folded == PUNCTUATION and at + 1 < stop and buffer[at] == 0x80:
                curly = buffer[at + 1] == 0x98 or buffer[at + 1] == 0x99
                at += 2
                if curly:
                    continue
                folded = BREAK
            elif IDEOGRAPHS[0] <= folded <= IDEOGRAPHS[1] and state != BASIS:
                out[count] = state ^ (state >> SHIFT)
                count += 1
                state = BASIS
        ends = folded == BREAK  # from here without branches: word ends are what a processor guesses badly
        out[count] = state ^ (state >> SHIFT)
        count += np.int64(ends) & np.int64(state != BASIS)
        state = BASIS if ends else (state ^ np.uint64(folded)) * PRIME
    if state != BASIS:
        out[count] = state ^ (state >> SHIFT)
        count += 1
    return count
