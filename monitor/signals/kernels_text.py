"""What degeneration needs to know of a text: does its end repeat, and in which script is it written."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numba import njit
from numpy.typing import NDArray

TAIL = 10
LONGEST_BLOCK = 2_000
WORDS_REPEAT = 15
SIGNS_REPEAT = 64
BLANK = "".join(map(chr, range(33)))
_TRIES = 8

PLAIN, REPEATS, BLANK_MARK = 1, 2, 4
"""What `endings` marks."""

SCRIPTS = (
    "none", "latin", "greek", "cyrillic", "armenian", "hebrew", "arabic", "devanagari", "bengali", "tamil",
    "thai", "georgian", "ethiopic", "khmer", "hangul", "kana", "han",
)  # fmt: skip
LATIN, KANA, HAN = SCRIPTS.index("latin"), SCRIPTS.index("kana"), SCRIPTS.index("han")
SAMPLE = 200

_BLOCKS = {
    "latin": ((0x41, 0x5A), (0x61, 0x7A), (0xC0, 0xD6), (0xD8, 0xF6), (0xF8, 0x24F), (0x1E00, 0x1EFF)),
    "greek": ((0x370, 0x3FF), (0x1F00, 0x1FFF)),
    "cyrillic": ((0x400, 0x52F),),
    "armenian": ((0x530, 0x58F),),
    "hebrew": ((0x590, 0x5FF),),
    "arabic": ((0x600, 0x6FF), (0x750, 0x77F), (0x8A0, 0x8FF), (0xFB50, 0xFDFF), (0xFE70, 0xFEFE)),
    "devanagari": ((0x900, 0x97F),),
    "bengali": ((0x980, 0x9FF),),
    "tamil": ((0xB80, 0xBFF),),
    "thai": ((0xE00, 0xE7F),),
    "georgian": ((0x10A0, 0x10FF),),
    "ethiopic": ((0x1200, 0x137F),),
    "khmer": ((0x1780, 0x17FF),),
    "hangul": ((0x1100, 0x11FF), (0x3130, 0x318F), (0xAC00, 0xD7AF)),
    "kana": ((0x3041, 0x30FF), (0x31F0, 0x31FF), (0xFF66, 0xFF9F)),
    "han": ((0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xF900, 0xFAFF)),
}


def _script_table() -> NDArray[np.uint8]:
    table = np.zeros(0x10000, dtype=np.uint8)
    for name, blocks in _BLOCKS.items():
        for first, last in blocks:
            table[first : last + 1] = SCRIPTS.index(name)
    return table


_SCRIPT_OF = _script_table()


def repeats(text: str) -> bool:
    """Whether the text ends in a loop: at least three times one block of up to 2,000 characters.

    The loop must fill 15 characters, or 64 where the block has no letter (rules, zeros, exclamation marks) or
    holds a tag (closing tags repeat by nature), and may stop within a block. A loop that the model left again is
    not seen. Blank endings count from 64 on.
    """
    whole = end = len(text)
    if text[-1:] <= " ":
        end = len(text.rstrip(BLANK))
        if whole - end >= SIGNS_REPEAT:
            return True
    if end < WORDS_REPEAT:
        return False
    lowest = end - TAIL - (whole // 3 if whole < 3 * LONGEST_BLOCK else LONGEST_BLOCK)
    tail = text[end - TAIL : end]
    start = text.rfind(tail, lowest if lowest > 0 else 0, end - 1)
    return start >= 0 and _loops(text, start, lowest, end)


def _loops(text: str, start: int, lowest: int, end: int) -> bool:
    """Tries the places where the last characters occurred before, nearest first, as the length of the block.

    Blanks behind the end stand for as many characters of the last block, up to half of it.
    """
    tail = text[end - TAIL : end]
    for _ in range(_TRIES):
        if start < 0:
            return False
        block = end - TAIL - start
        least = WORDS_REPEAT if _is_prose(text[end - block : end]) else SIGNS_REPEAT
        reach = max(3 * block - min(len(text) - end, block // 2), least)
        if reach <= end and text[end - reach : end - block] == text[end - reach + block : end]:
            return True
        start = text.rfind(tail, max(lowest, 0), start + TAIL - 1)
    return False


@njit(cache=True)
def endings(
    buffer: NDArray[np.uint8], offsets: NDArray[np.int64], sizes: NDArray[np.int64], marks: NDArray[np.int64]
) -> None:
    """Marks each text, of those end to end in `buffer`: `PLAIN` if it is ASCII and not empty.

    `sizes` are their lengths in characters. A plain one is also `REPEATS` by the rule of `repeats`, and `BLANK_MARK`
    if nothing in it is visible.
    """
    for row in range(len(offsets) - 1):
        start, stop = offsets[row], offsets[row + 1]
        marks[row] = PLAIN if stop - start == sizes[row] > 0 else 0
        if marks[row] == 0:
            continue
        blank = True
        for at in range(start, stop):
            byte = buffer[at]
            if not (byte == 32 or 9 <= byte <= 13 or byte == 0):
                blank = False
                break
        marks[row] |= BLANK_MARK * blank | REPEATS * _repeats(buffer, start, stop)


@njit(cache=True)
def _repeats(text: NDArray[np.uint8], start: int, stop: int) -> bool:
    """`repeats` of the ASCII text between these places, to the letter."""
    end = stop
    while end > start and text[end - 1] <= 32:
        end -= 1
    if stop - end >= SIGNS_REPEAT:
        return True
    if end - start < WORDS_REPEAT:
        return False
    whole = stop - start
    lowest = max(start, end - TAIL - (whole // 3 if whole < 3 * LONGEST_BLOCK else LONGEST_BLOCK))
    tries, at, last = 0, end - 1 - TAIL, text[end - 1]
    while at >= lowest and tries < _TRIES:
        if text[at + TAIL - 1] == last and _same(text, at, end - TAIL, TAIL):
            tries += 1
            block = end - TAIL - at
            least = WORDS_REPEAT if _ascii_prose(text, end - block, end) else SIGNS_REPEAT
            reach = max(3 * block - min(stop - end, block // 2), least)
            if reach <= end - start and _same(text, end - reach, end - reach + block, reach - block):
                return True
        at -= 1
    return False


@njit(cache=True)
def _same(text: NDArray[np.uint8], one: int, other: int, size: int) -> bool:
    k = size - 1
    while k >= 0 and text[one + k] == text[other + k]:
        k -= 1
    return k < 0


@njit(cache=True)
def _ascii_prose(text: NDArray[np.uint8], start: int, stop: int) -> bool:
    letter = False
    for at in range(start, stop):
        byte = text[at]
        if byte == 60:
            return False
        letter |= 65 <= byte <= 90 or 97 <= byte <= 122
    return letter


def _is_prose(block: str) -> bool:
    return "<" not in block and any(map(str.isalpha, block))


def scripts(texts: Sequence[str]) -> NDArray[np.int64]:
    """How many of the first 200 characters of each text belong to each script of `SCRIPTS`."""
    heads = [text[:SAMPLE] for text in texts]
    joined = "".join(heads).encode("utf-32-le", "surrogatepass")
    points = np.frombuffer(joined, dtype=np.uint32)
    found = _SCRIPT_OF.take(np.minimum(points, 0xFFFF))
    rows = np.repeat(np.arange(len(heads)), [len(head) for head in heads])
    width = len(SCRIPTS)
    return np.bincount(rows * width + found, minlength=len(heads) * width).reshape(len(heads), width)


def mostly_ascii(text: str) -> bool:
    """Whether the first 200 characters hold no more than a tenth of others: Latin, with dashes and accents."""
    head = text[:SAMPLE]
    return head.isascii() or (len(head.encode("utf-8", "surrogatepass")) - len(head)) * 10 <= len(head)


def switched(asked: NDArray[np.int64], answered: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Row by row of `scripts`: whether the answer is in another script than the question was.

    It is when under a tenth of its letters are in the question's main script and over half in one other.
    Too few letters (2 asked, 4 answered) say nothing. A question in Han may be answered in Japanese.
    """
    asked, answered = _japanese(asked[:, 1:]), _japanese(answered[:, 1:])
    letters = answered.sum(axis=1)
    row = np.arange(len(asked))
    main, other = asked.argmax(axis=1), answered.argmax(axis=1)
    differs = (answered[row, main] * 10 < letters) & (answered[row, other] * 2 > letters)
    japanese = (main == HAN - 1) & (other == KANA - 1)
    switch: NDArray[np.bool_] = differs & ~japanese & (asked.sum(axis=1) >= 2) & (letters >= 4)
    return switch


def _japanese(counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Han characters beside kana (a tenth of them) are Japanese; they are counted as kana."""
    counts = counts.copy()
    mixed = counts[:, KANA - 1] * 10 >= counts[:, HAN - 1]
    mixed &= counts[:, KANA - 1] > 0
    counts[mixed, KANA - 1] += counts[mixed, HAN - 1]
    counts[mixed, HAN - 1] = 0
    return counts
