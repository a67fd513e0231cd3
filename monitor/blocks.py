"""The blocks in which evidence reads latencies, of which a bucket holds hundreds of bins."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

YOUNG = 3 * 3_600_000
"""For so many milliseconds after a variant's first bucket every bucket is a block."""

WIDE = 600_000
"""At other times so many milliseconds by the clock are one."""


@dataclass(frozen=True, slots=True)
class Blocks:
    """Fine while a build is young, wide with age: months of minutes would not fit into memory.

    `firsts` are the first buckets of all variants up to now. A variant that comes later changes no block before it, so
    a block is the same at every look.
    """

    width: int
    firsts: Collection[int]

    def begin(self, bucket: int) -> int:
        """The first bucket of the block that a bucket belongs to; blocks with an earlier one are over before it."""
        return bucket if self._young(bucket) else bucket - bucket % self._wide

    @property
    def _wide(self) -> int:
        return max(1, WIDE // self.width)

    def _young(self, bucket: int) -> bool:
        return any(first <= bucket < self._until(first) for first in self.firsts)

    def _until(self, first: int) -> int:
        """The end of a variant's youth, where a wide block begins."""
        return -(-(first + YOUNG // self.width) // self._wide) * self._wide
