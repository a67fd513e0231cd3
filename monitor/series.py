"""Sealed facts of one variant as arrays, the way evidence reads them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import xxhash
from numpy.typing import NDArray

from monitor.facts import Counts

SeriesKey = tuple[str, str]
"""Slice and signal."""


@dataclass(frozen=True, slots=True)
class Series:
    """Count vectors by bucket, ascending; a bucket appears once per inclusion level (millionths, 0 for live facts)."""

    buckets: NDArray[np.int64]
    levels: NDArray[np.int64]
    counts: Counts

    def before(self, bucket: int) -> Series:
        """The part in buckets below `bucket`."""
        kept = self.buckets < bucket
        return Series(self.buckets[kept], self.levels[kept], self.counts[kept])

    def from_(self, bucket: int) -> Series:
        """The part in buckets from `bucket` on."""
        kept = self.buckets >= bucket
        return Series(self.buckets[kept], self.levels[kept], self.counts[kept])

    @property
    def total(self) -> Counts:
        """All counts added up."""
        return np.asarray(self.counts.sum(axis=0), dtype=np.int64)


@dataclass(frozen=True, slots=True)
class VariantFacts:
    """What is sealed of one variant: replayed pairs and live units, and when it was first and last seen."""

    variant: str
    first: int
    last: int
    pairs: Mapping[SeriesKey, Series]
    units: Mapping[SeriesKey, Series]


@dataclass(frozen=True, slots=True)
class Sealing:
    """What of a variant's facts has a name: all pairs, and the units of the signals that are sealed no later.

    `layout` says what they mean: facts of other definitions are other facts.
    """

    live: frozenset[str]
    layout: str


def seal(facts: VariantFacts, sealing: Sealing, cut: int) -> str:
    """A name for all facts before a bucket: `CUT:LAYOUT:HASH`. What is sealed never changes, nor does its name."""
    parts = {("pair", *key): series for key, series in facts.pairs.items()}
    parts |= {("unit", *key): series for key, series in facts.units.items() if key[1] in sealing.live}
    whole = xxhash.xxh3_64()
    for key in sorted(parts):
        part = parts[key].before(cut)
        if not len(part.buckets):  # it appeared later
            continue
        for values in (part.buckets, part.levels, np.ascontiguousarray(part.counts)):
            whole.update(b"\0".join(name.encode() for name in key))
            whole.update(values.tobytes())
    return f"{cut}:{sealing.layout}:{whole.hexdigest()}"


def holds(name: str, facts: VariantFacts, sealing: Sealing) -> bool:
    """Whether these facts still have that name; facts of other definitions are other facts."""
    cut, before, _ = name.split(":")
    return before != sealing.layout or seal(facts, sealing, int(cut)) == name
