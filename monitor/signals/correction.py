"""Does a user's turn correct the answer before it: the same prompt again, a rephrased one, a phrase, a button.

Prompts are remembered as signatures of 140 bytes: keyed hashes from which no text can be read back. What phrases were
tried on and how often they are right is in `docs/signals.md`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Literal

import numpy as np
import re2
from numba import njit
from numpy.typing import NDArray

from monitor.errors import IntegrityError
from monitor.model import Definition
from monitor.signals.family import sealed
from monitor.signals.text import PRIME, SHIFT, Bytes, Offsets, pack_ends, word_hashes

END = 2048
"""Of a long prompt this many bytes at each end are read, and its length."""

BINS = 64
SIZE = 2 * (BINS + 6)
PHRASE_CAP = 240
"""A phrase must stand within so many characters: what comes later is more often quoted than meant."""

LEAST_WORDS = 3
"""Shorter prompts ("yes", "go on", "next one") are repeated without anything being wrong."""

Kind = Literal["repeated", "rephrased", "phrase", "regenerate", "edit"]
Rows = NDArray[np.uint16]
Row = NDArray[np.uint16]

_EMPTY = np.uint16(0xFFFF)
_STOP_BITS = np.uint64(64 - 13)
_BIN_BITS = np.uint64(64 - 6)
_SENTENCE = r"(?:^|[.!?;,:\n-] ?)[\s\"]*(?:(?:no+|nope|nah|but|and|so|oh|ok|okay|wait|hey|hmm+|um+|uh|well|sorry|again|actually|yes|yeah|lol|wow|dude|bro|what)[ ,.!?]+)*"
_WORDS, _CONTENT, _MINS = 4, 5, 6


@dataclass(frozen=True, slots=True)
class Signature:
    """What is remembered of a prompt. Equal for equal text and key, in every process."""

    data: bytes

    def to_bytes(self) -> bytes:
        """`SIZE` bytes."""
        return self.data

    @classmethod
    def from_bytes(cls, data: bytes) -> Signature:
        """The inverse of `to_bytes`; IntegrityError for another length."""
        if len(data) != SIZE:
            raise IntegrityError(f"a signature has {SIZE} bytes, not {len(data)}")
        return cls(data)

    @property
    def row(self) -> Row:
        """Four parts of the exact hash, words, words that carry meaning, smallest hash per bin."""
        return np.frombuffer(self.data, dtype="<u2")


def signature(text: str, key: int = 0) -> Signature:
    """The signature of one prompt: the same as its row of `signatures`."""
    return Signature(signatures([text], key)[0].tobytes())


def signatures(texts: Sequence[str], key: int = 0) -> Rows:
    """One row of `SIZE` bytes for each prompt; `Signature.from_bytes(row.tobytes())` wraps one."""
    buffer, offsets = pack_ends(texts, END)
    rows = np.full((len(texts), SIZE // 2), _EMPTY, dtype=np.uint16)
    _sign(buffer, offsets, _stopped(), np.uint64(key & 0xFFFF_FFFF_FFFF_FFFF), rows)
    return rows


def corrects(previous: Signature | None, current: Signature, text: str, action: str | None) -> Kind | None:
    """Why the user's turn corrects the answer to `previous`, the user turn before; None if it does not.

    `text` is the turn whose signature `current` is. Without `previous` only buttons and phrases are seen.
    """
    if action == "regenerate":
        return "regenerate"
    if action == "edit":
        return "edit"
    if previous is not None:
        likeness = alike(previous, current)
        if likeness is not None:
            return likeness
    return "phrase" if says_so(text) else None


def alike(previous: Signature, current: Signature) -> Literal["repeated", "rephrased"] | None:
    """Whether the second prompt asks for the same as the first, by its words alone."""
    before, after = previous.row, current.row
    if after[_WORDS] < LEAST_WORDS:
        return None
    if previous.data[:8] == current.data[:8]:
        return "repeated"
    if after[_CONTENT] < LEAST_WORDS or before[_CONTENT] < LEAST_WORDS:
        return None
    mine, theirs = after[_MINS:], before[_MINS:]
    size = int(np.count_nonzero(mine != _EMPTY))
    other = int(np.count_nonzero(theirs != _EMPTY))
    shared = int(np.count_nonzero((mine == theirs) & (mine != _EMPTY)))
    return "rephrased" if _same_request(size, other, shared) else None


def _same_request(size: int, other: int, shared: int) -> bool:
    return 5 * shared >= 4 * size and 2 * shared >= size + other - shared


def says_so(text: str) -> bool:
    """Whether the beginning of the text holds a phrase with which people correct an answer."""
    return bool(_phrases().Match(text[:PHRASE_CAP].encode("utf-8", "replace")))


def definition(horizon: float) -> Definition:
    """The signal `correction` with its horizon in seconds: served at once, corrected later, at most once."""
    bare = Definition(
        signal="correction",
        family="correction",
        cells=("served", "corrected", "not_observed"),
        yes=("corrected",),
        horizon=horizon,
        version=1,
    )
    return sealed(bare, _read("correction_phrases.txt").encode(), _read("stop_words.txt").encode())


def _read(name: str) -> str:
    return (files("monitor") / "data" / name).read_text(encoding="utf-8")


def patterns() -> list[str]:
    """The bank of phrases as RE2 expressions, in file order."""
    lines = _read("correction_phrases.txt").splitlines()
    return [_expanded(line) for line in lines if line and not line.startswith("#")]


def _expanded(line: str) -> str:
    return line.replace("%S", _SENTENCE).replace("'", "(?:'|’)?")


@cache
def _phrases() -> re2.Set:
    options = re2.Options()
    options.case_sensitive = False
    bank = re2.Set.SearchSet(options)
    bank.Add("|".join(f"(?:{pattern})" for pattern in patterns()))
    bank.Compile()
    return bank


@cache
def _stopped() -> NDArray[np.bool_]:
    words = _read("stop_words.txt").encode()
    hashes = np.empty(len(words) + 1, dtype=np.uint64)
    count = word_hashes(np.frombuffer(words, dtype=np.uint8), 0, len(words), hashes)
    table = np.zeros(1 << 13, dtype=np.bool_)
    table[hashes[:count] >> _STOP_BITS] = True
    return table


@njit(cache=True)  # type: ignore[untyped-decorator]
def _sign(buffer: Bytes, offsets: Offsets, stopped: NDArray[np.bool_], key: np.uint64, rows: Rows) -> None:
    hashes = np.empty(2 * END + 32, dtype=np.uint64)
    for row in range(len(offsets) - 1):
        count = word_hashes(buffer, offsets[row], offsets[row + 1], hashes)
        exact = key
        content = 0
        for at in range(count):
            word = hashes[at]
            exact = (exact ^ word) * PRIME
            exact ^= exact >> SHIFT
            if stopped[word >> _STOP_BITS]:
                continue
            content += 1
            keyed = (word ^ key) * PRIME
            keyed = (keyed ^ (keyed >> np.uint64(32))) * PRIME
            place = _MINS + np.int64(keyed >> _BIN_BITS)
            value = np.uint16((keyed >> np.uint64(40)) & np.uint64(0xFFFF))
            if value < rows[row, place]:
                rows[row, place] = value
        for part in range(4):
            rows[row, part] = np.uint16((exact >> np.uint64(16 * part)) & np.uint64(0xFFFF))
        rows[row, _WORDS] = count
        rows[row, _CONTENT] = content


DEFINITION = definition(600.0)
"""With the default horizon of ten minutes."""
