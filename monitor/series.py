"""Sealed facts of one variant as arrays, the way evidence reads them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
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
