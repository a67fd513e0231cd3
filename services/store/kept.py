"""What was read of sealed facts, bucket by bucket, so that it can be read again and compared."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import xxhash

_MASK = (1 << 64) - 1


class Kept:
    """Rows and a hash of them for every bucket that was read. What is read again comes in pieces, one a look."""

    def __init__(self) -> None:
        self._buckets: dict[int, tuple[int, int]] = {}
        self._again = -1

    def add(self, row: Any) -> None:
        """Takes a row of `fact` in; rows come by bucket, and in any order within one."""
        _add(self._buckets, row)

    def piece(self, most: int) -> tuple[int, int] | None:
        """The next buckets to be read again, from and to, about `most` rows; None where nothing was read."""
        if not self._buckets:
            return None
        rows, low = 0, self._again
        for bucket, (count, _) in self._buckets.items():
            if bucket <= low:
                continue
            rows += count
            if rows >= most:
                self._again = bucket
                return low + 1, bucket
        self._again = -1
        return low + 1, next(reversed(self._buckets))

    def holds(self, first: int, last: int, rows: Iterable[Any]) -> bool:
        """Whether these are the rows that were read of the buckets from `first` to `last`."""
        found: dict[int, tuple[int, int]] = {}
        for row in rows:
            _add(found, row)
        return found == {bucket: kept for bucket, kept in self._buckets.items() if first <= bucket <= last}


def _add(buckets: dict[int, tuple[int, int]], row: Any) -> None:
    name = "\0".join((row.variant, row.slice, row.signal, row.definition, str(row.level), ""))
    count, total = buckets.get(row.bucket, (0, 0))
    buckets[row.bucket] = count + 1, (total + xxhash.xxh3_64_intdigest(name.encode() + row.counts)) & _MASK
