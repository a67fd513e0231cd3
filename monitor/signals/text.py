"""Text as integers: the compiled passes over bytes that `refusal` and `correction` share.

A word is a run of letters, digits and underscores, or bytes of other scripts; ASCII is folded to lower case and
apostrophes, straight or curly, are dropped, so that "Can't", "can’t" and "cant" are one word. Ideographs and kana
stand alone, one word each. Everything is integer arithmetic: a text gives the same alone as in any batch.

All compiled functions stand in this one file, because numba notices a change of the file a function stands in, but
not of the files it calls into.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numba import njit
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]
Offsets = NDArray[np.int64]
Hashes = NDArray[np.uint64]
Words16 = NDArray[np.uint16]

BREAK, APOSTROPHE, RARE = 0, 127, 127
PUNCTUATION = 0xE2
IDEOGRAPHS = (0xE3, 0xED)
BASIS = np.uint64(0xCBF29CE484222325)
PRIME = np.uint64(0x9E3779B97F4A7C15)
U16, U29, U31, U32, U33, U40, U48, U58 = (np.uint64(n) for n in (16, 29, 31, 32, 33, 40, 48, 58))
LOW16 = np.uint64(0xFFFF)
SLOT_BITS = 32

BINS = 64
WORDS, NUMBERS, MINS = 4, 5, 6
"""Where in a signature: 0 to 3 the exact hash, then how many words, a hash of the numbers, the smallest hashes."""

WIDTH = MINS + BINS
EMPTY = np.uint16(0xFFFF)
LEAST_WORDS = 3
DIFFERENT, REPEATED, REPHRASED = 0, 1, 2


def _folding() -> Bytes:
    table = np.zeros(256, dtype=np.uint8)
    for byte in b"abcdefghijklmnopqrstuvwxyz0123456789_":
        table[byte] = byte
        table[ord(chr(byte).upper())] = byte
    table[ord("'")] = APOSTROPHE
    table[128:] = np.arange(128, 256)
    return table


FOLD = _folding()


def pack(texts: Sequence[str], cap: int) -> tuple[Bytes, Offsets]:
    """The first `cap` bytes of each text, end to end, and where each begins and ends.

    What lies behind the first `cap` characters is never looked at.
    """
    return _end_to_end([text[:cap].encode("utf-8", "replace")[:cap] for text in texts])


def pack_whole(texts: Sequence[str]) -> tuple[Bytes, Offsets]:
    """The same of whole texts."""
    return _end_to_end([text.encode("utf-8", "replace") for text in texts])


def pack_ends(texts: Sequence[str], cap: int) -> tuple[Bytes, Offsets]:
    """The same of texts cut in the middle: the first and the last `cap` bytes, with the length as a word between."""
    short = cap // 2  # characters that are certainly no more than twice `cap` bytes
    return _end_to_end([text.encode("utf-8", "replace") if len(text) <= short else _ends(text, cap) for text in texts])


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


@njit(cache=True)
def word_hashes(buffer: Bytes, start: int, stop: int, out: Hashes) -> int:
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
                out[count] = state ^ (state >> U29)
                count += 1
                state = BASIS
        ends = folded == BREAK  # from here without branches: word ends are what a processor guesses badly
        out[count] = state ^ (state >> U29)
        count += int(ends) & int(state != BASIS)
        state = BASIS if ends else (state ^ np.uint64(folded)) * PRIME
    if state != BASIS:
        out[count] = state ^ (state >> U29)
        count += 1
    return count


@njit(cache=True)
def _is_new(seen: Offsets, text: int, slot: np.int64) -> bool:
    """Whether a slot did not come in this text yet; from now on it did. `seen` is a hash table for one text."""
    mask = len(seen) - 1
    entry = (text << SLOT_BITS) | slot
    at = slot & mask
    while seen[at] >> SLOT_BITS == text:
        if seen[at] == entry:
            return False
        at = (at + 1) & mask
    seen[at] = entry
    return True


@njit(cache=True)
def features(
    buffer: Bytes, start: int, stop: int, down: np.uint64, words: Hashes, seen: Offsets, text: int, out: Offsets
) -> int:
    """Write the slot of each different word and pair of neighbours once to `out`; returns how many.

    A slot is a hash shifted `down`. `seen` has a power of two of entries, twice as many as there may be features, and
    `text` is a number above those it was used for before.
    """
    count = word_hashes(buffer, start, stop, words)
    found = 0
    before = np.uint64(0)
    for at in range(count):
        word = words[at]
        slot = np.int64(word >> down)
        if _is_new(seen, text, slot):
            out[found] = slot
            found += 1
        if at > 0:
            slot = np.int64((((before << U31) ^ (before >> U33) ^ word) * PRIME) >> down)
            if _is_new(seen, text, slot):
                out[found] = slot
                found += 1
        before = word
    return found


@njit(cache=True)
def classify(
    buffer: Bytes,
    offsets: Offsets,
    most: int,
    down: np.uint64,
    table: NDArray[np.int16],
    limits: Offsets,
    cells: NDArray[np.int16],
) -> None:
    """Write 0, 1 or 2 for each text: neither sum over its limit, the first only, both; `most` bytes of it are read."""
    words = np.empty(most + 1, dtype=np.uint64)
    found = np.empty(2 * most + 2, dtype=np.int64)
    seen = np.zeros(_room(2 * most + 2), dtype=np.int64)
    for row in range(len(offsets) - 1):
        stop = min(offsets[row + 1], offsets[row] + most)
        count = features(buffer, offsets[row], stop, down, words, seen, row + 1, found)
        first, second = 0, 0
        for at in range(count):
            first += table[found[at], 0]
            second += table[found[at], 1]
        if first <= limits[0, count]:
            cells[row] = 0
        else:
            cells[row] = 2 if second > limits[1, count] else 1


@njit(cache=True)
def collect(buffer: Bytes, offsets: Offsets, most: int, down: np.uint64, starts: Offsets, found: Offsets) -> None:
    """Write the features of all texts one after the other, and where those of each begin."""
    words = np.empty(most + 1, dtype=np.uint64)
    seen = np.zeros(_room(2 * most + 2), dtype=np.int64)
    for row in range(len(offsets) - 1):
        room = found[starts[row] :]
        count = features(buffer, offsets[row], offsets[row + 1], down, words, seen, row + 1, room)
        starts[row + 1] = starts[row] + count


@njit(cache=True)
def _room(entries: int) -> int:
    """The power of two that is at least twice as many: small enough for the processor's nearest cache."""
    size = 1
    while size < 2 * entries:
        size *= 2
    return size


@njit(cache=True)
def numbers(buffer: Bytes, start: int, stop: int, key: np.uint64) -> np.uint16:
    """A hash of the runs of digits, whatever their order; 0 if there are none."""
    total = np.uint64(0)
    state = key
    for at in range(start, stop):
        byte = buffer[at]
        if 48 <= byte <= 57:
            state = (state ^ np.uint64(byte)) * PRIME
        elif state != key:
            total += state
            state = key
    if state != key:
        total += state
    return np.uint16(total >> U48)


@njit(cache=True)
def sign(buffer: Bytes, offsets: Offsets, most: int, stopped: Words16, key: np.uint64, rows: Words16) -> None:
    """Write a signature of each text to its row, whose bins must come empty.

    `stopped[h]` is the empty value where a word whose hash begins with the 13 bits h carries no meaning, else 0: or-ing
    it in takes such words out.
    """
    hashes = np.empty(most + 1, dtype=np.uint64)
    for row in range(len(offsets) - 1):
        count = word_hashes(buffer, offsets[row], offsets[row + 1], hashes)
        exact = key
        mins = rows[row, MINS:]
        for at in range(count):
            word = hashes[at]
            exact = (exact ^ word) * PRIME
            exact ^= exact >> U29
            keyed = (word ^ key) * PRIME
            keyed = (keyed ^ (keyed >> U32)) * PRIME
            place = np.int64(keyed >> U58)
            value = np.uint16((keyed >> U40) & LOW16) | stopped[word >> np.uint64(51)]
            mins[place] = min(value, mins[place])
        for part in range(4):
            rows[row, part] = np.uint16((exact >> (np.uint64(part) * U16)) & LOW16)
        rows[row, WORDS] = count
        rows[row, NUMBERS] = numbers(buffer, offsets[row], offsets[row + 1], key)


@njit(cache=True)
def compare(before: Words16, after: Words16) -> int:
    """DIFFERENT, REPEATED or REPHRASED: short, no new word, no new number, and not just a small part of the first."""
    if after[WORDS] < LEAST_WORDS:
        return DIFFERENT
    same = True
    for part in range(4):
        same &= before[part] == after[part]
    if same:
        return REPEATED
    fresh_number = after[NUMBERS] != 0 and after[NUMBERS] != before[NUMBERS]
    if fresh_number:
        return DIFFERENT
    size, other, shared = 0, 0, 0
    for place in range(MINS, WIDTH):
        held = after[place] != EMPTY
        size += held
        other += before[place] != EMPTY
        shared += held and before[place] == after[place]
    if size != shared or size < LEAST_WORDS or size > BINS // 2:
        return DIFFERENT
    return REPHRASED if 5 * shared >= 2 * other else DIFFERENT


@njit(cache=True)
def compare_all(before: Words16, after: Words16, found: NDArray[np.int8]) -> None:
    """`compare`, row by row."""
    for row in range(len(found)):
        found[row] = compare(before[row], after[row])
