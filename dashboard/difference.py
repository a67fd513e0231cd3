"""Where two texts part."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Difference:
    """What two texts share from their start, and how each goes on. Equal texts share all and have no `position`.

    `position` counts characters from 1, as people do.
    """

    shared: str
    left: str
    right: str

    @property
    def position(self) -> int | None:
        return len(self.shared) + 1 if self.left or self.right else None


def first_difference(left: str, right: str) -> Difference:
    """The first place where the texts differ; a letter is not separated from the marks that belong to it."""
    end = _common(left, right)
    while end > 0 and (_joins(left, end) or _joins(right, end)):
        end -= 1
    return Difference(left[:end], left[end:], right[end:])


def _common(left: str, right: str) -> int:
    shorter = min(len(left), len(right))
    return next((index for index in range(shorter) if left[index] != right[index]), shorter)


def _joins(text: str, index: int) -> bool:
    return index < len(text) and (text[index] == "\u200d" or unicodedata.category(text[index]).startswith("M"))
