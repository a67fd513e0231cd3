"""Text from outside, made safe to show: never Markdown, never HTML, nothing invisible.

Markdown escapes alone are not enough: links, e-mail addresses and emoji names are looked for after escapes are
resolved. So the characters that start them are also followed by a word joiner, which has no width.
"""

from __future__ import annotations

import re
import unicodedata

JOINER = "\u2060"
_SPECIAL = re.compile(r"([!-/:-@\[-`{-~])")
_LINKS = re.compile(r"(?<=:)(?=/|[^\s:]+:)|(?<=@)(?=\S)|(?<=w)(?=w)", re.IGNORECASE)
_ARROWS = re.compile(r"(?<=[-<=>])(?=[-<>=])")
_KEPT = frozenset("\n\t\u200c\u200d")
_MARKS = 3


def visible(text: str) -> str:
    """The text with control and direction characters written out; the joiners that scripts need are kept."""
    return "".join(_written(character, unicodedata.category(character)) for character in text)


def _written(character: str, category: str) -> str:
    hidden = category in ("Cc", "Cf", "Co", "Cs", "Zl", "Zp") and character not in _KEPT
    return f"⟦U+{ord(character):04X}⟧" if hidden else character


def line(text: str) -> str:
    """The text on one line, with at most three marks on one letter, so that it stays within its line."""
    kept: list[str] = []
    marks = 0
    for character in " ".join(visible(text).split()):
        marks = marks + 1 if unicodedata.category(character) in ("Mn", "Me") else 0
        if marks <= _MARKS:
            kept.append(character)
    return "".join(kept)


def name(text: str, limit: int = 80) -> str:
    """A name on one line, cut where it is longer than `limit`."""
    short = line(text)
    return short if len(short) <= limit else short[: limit - 1] + "…"


def markdown(text: str, limit: int = 600) -> str:
    """The text as Markdown source that renders as exactly its characters, on one line, cut at `limit`."""
    broken = _ARROWS.sub(JOINER, _LINKS.sub(JOINER, name(text, limit)))
    return _SPECIAL.sub(r"\\\1", broken)
