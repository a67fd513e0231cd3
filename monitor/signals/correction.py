"""Does a user's turn correct the answer before it: the same prompt again, a rephrased one, a phrase, a button.

Prompts are remembered as signatures, 70 numbers of 16 bits: keyed hashes from which no text can be
read back. What the phrases were tried on and how often they are right is in `docs/signals.md`.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from typing import Literal

import numpy as np
import re2

from monitor.model import Definition
from monitor.signals.family import sealed
from monitor.signals.text import EMPTY, WIDTH, Words16, compare_all, pack_ends, sign, word_hashes

END = 2048
"""Of a prompt longer than twice this, so many bytes at each end are read, and its length."""

PHRASE_CAP = 240
"""A phrase must stand within so many characters: what comes later is more often quoted than meant."""

Likeness = Literal["repeated", "rephrased"]
Kind = Literal["repeated", "rephrased", "phrase", "regenerate", "edit"]

_FILLERS = "no+|nope|nah|but|and|so|oh|ok|okay|wait|hey|hmm+|um+|uh|well|sorry|again|actually|yes|yeah|lol|wow|what"
_SENTENCE = rf"(?:^|[.!?;,:\n-] ?)[\s\"]*(?:(?:{_FILLERS})[ ,.!?]+)*"
_MOST = 2 * END + 32
_LIKENESS: tuple[Likeness | None, ...] = (None, "repeated", "rephrased")


def signature(text: str, key: int = 0) -> Words16:
    """The signature of one prompt: the same as its row of `signatures`."""
    return signatures([text], key).reshape(WIDTH)


def signatures(texts: Sequence[str], key: int = 0) -> Words16:
    """One row of `WIDTH` numbers for each prompt, equal for equal words and key in every process.

    Signatures made with different keys have nothing in common.
    """
    buffer, offsets = pack_ends(texts, END)
    rows = np.full((len(texts), WIDTH), EMPTY, dtype="<u2")
    sign(buffer, offsets, _MOST, _stopped(), np.uint64(key & 0xFFFF_FFFF_FFFF_FFFF), rows)
    return rows


def corrects(previous: Words16 | None, current: Words16, text: str, action: str | None) -> Kind | None:
    """Why the user's turn corrects the answer to `previous`, the user turn before it; None if it does not.

    `text` is the turn that `current` was made of. Without `previous` only buttons and phrases are seen.
    """
    [likeness] = [None] if previous is None else likenesses(previous[None], current[None])
    return kind_of(likeness, text, action)


def kind_of(likeness: Likeness | None, text: str, action: str | None) -> Kind | None:
    """The same where the likeness of the two turns is known."""
    if action == "regenerate":
        return "regenerate"
    if action == "edit":
        return "edit"
    if likeness is not None:
        return likeness
    return "phrase" if says_so(text) else None


def likenesses(previous: Words16, current: Words16) -> list[Likeness | None]:
    """Row by row, whether the second prompt asks for the same as the first, by its words alone.

    Prompts of fewer than three words ("yes", "go on") are never alike: they are repeated without anything being wrong.
    """
    found = np.empty(len(previous), dtype=np.int8)
    compare_all(previous, current, found)
    return [_LIKENESS[code] for code in found.tolist()]


def says_so(text: str) -> bool:
    """Whether the first characters of the text hold a phrase with which people correct an answer."""
    return bool(_phrases().Match(text[:PHRASE_CAP].encode("utf-8", "replace")))


def patterns() -> list[str]:
    """The bank of phrases as RE2 expressions, in file order."""
    lines = _read("correction_phrases.txt").splitlines()
    wanted = (line for line in lines if line and not line.startswith("#"))
    return [line.replace("%S", _SENTENCE).replace("'", "(?:'|’)?") for line in wanted]


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


@cache
def _read(name: str) -> str:
    return (files("monitor") / "data" / name).read_text(encoding="utf-8")


@cache
def _phrases() -> re2.Set:
    options = re2.Options()
    options.case_sensitive = False
    bank = re2.Set.SearchSet(options)
    bank.Add("|".join(f"(?:{pattern})" for pattern in patterns()))
    bank.Compile()
    return bank


@cache
def _stopped() -> Words16:
    words = np.frombuffer(_read("stop_words.txt").encode(), dtype=np.uint8)
    hashes = np.empty(len(words) + 1, dtype=np.uint64)
    count = word_hashes(words, 0, len(words), hashes)
    table = np.zeros(1 << 13, dtype=np.uint16)
    table[hashes[:count] >> np.uint64(51)] = EMPTY
    return table


DEFINITION = definition(600.0)
"""With the default horizon of ten minutes."""
