"""The ids of accepted records, each remembered until the watermark passes its own time: a table of integers."""

from __future__ import annotations

from collections import deque
from typing import Final

import numpy as np
from numba import njit
from numpy.typing import NDArray

Ids = NDArray[np.uint64]
Times = NDArray[np.int64]

_LEAST: Final = 1_024
_SMALL: Final = 1 << 14
"""Up to so many, what has expired is dropped at once; beyond, when it is a quarter of all."""


class Seen:
    """Ids with the time (milliseconds) until which each is remembered.

    What is dropped late changes no answer: an id whose time has passed counts as not seen.
    """

    def __init__(self) -> None:
        self._ids: Ids = np.zeros(_LEAST, dtype=np.uint64)
        self._until: Times = np.full(_LEAST, -1, dtype=np.int64)
        self._held = 0
        self._packs: deque[tuple[int, int]] = deque()
        self._over = 0

    def __len__(self) -> int:
        return self._held

    def take(
        self, ids: Ids, times: Times, stamps: Times, watermark: int, lateness: int
    ) -> tuple[NDArray[np.bool_], Times]:
        """Which of some records, in log order, are new, and until when each new one is remembered from now on.

        The watermark moves with each record's stamp, so that a split of the records changes nothing.
        """
        self._make_room(len(ids))
        fresh, until = np.empty(len(ids), dtype=np.bool_), np.empty(len(ids), dtype=np.int64)
        self._held += _take(self._ids, self._until, ids, times, stamps, watermark, lateness, fresh, until)
        return fresh, until

    def add_pack(self, expires: int, number: int) -> None:
        """Notes that so many ids were remembered together, none of them for longer than `expires`."""
        self._packs.append((expires, number))

    def restore(self, expires: int, body: bytes) -> None:
        """Puts back a packed commit."""
        ids, until = unpack(body)
        self._make_room(len(ids))
        self._held += _put(self._ids, self._until, ids, until)
        self.add_pack(expires, len(ids))

    def expire(self, watermark: int) -> None:
        """Drops what is remembered no longer, once it is worth the work."""
        while self._packs and self._packs[0][0] < watermark:
            self._over += self._packs.popleft()[1]
        if self._over and (self._held <= _SMALL or self._over * 4 >= self._held):
            self._over = 0
            self._rebuild(len(self._ids), watermark)

    def _make_room(self, more: int) -> None:
        size = len(self._ids)
        while (self._held + more) * 2 > size:
            size *= 2
        if size > len(self._ids):
            self._rebuild(size, 0, more)

    def _rebuild(self, size: int, watermark: int, more: int = 0) -> None:
        """Moves into a table of `size`, or of less where that is far too much for what is kept and `more`."""
        kept = self._until >= watermark
        ids, until = self._ids[kept], self._until[kept]
        while size > _LEAST and (len(ids) + more) * 8 < size:
            size //= 2
        self._ids, self._until = np.zeros(size, dtype=np.uint64), np.full(size, -1, dtype=np.int64)
        self._held = int(_put(self._ids, self._until, ids, until))


def pack(ids: Ids, until: Times) -> bytes:
    """Ids with their times as bytes for the store."""
    return ids.astype("<u8").tobytes() + until.astype("<u8").tobytes()


def unpack(body: bytes) -> tuple[Ids, Times]:
    """The inverse of `pack`."""
    ids, until = np.frombuffer(body, "<u8").reshape(2, -1)
    return ids.astype(np.uint64), until.astype(np.int64)


@njit(cache=True)
def _place(held: Ids, held_until: Times, name: np.uint64) -> int:
    """Where an id is, or where it would be put."""
    mask = np.uint64(len(held) - 1)
    at = name & mask
    while held_until[at] >= 0 and held[at] != name:
        at = (at + np.uint64(1)) & mask
    return at  # type: ignore[return-value]


@njit(cache=True)
def _take(
    held: Ids,
    held_until: Times,
    ids: Ids,
    times: Times,
    stamps: Times,
    watermark: int,
    lateness: int,
    fresh: NDArray[np.bool_],
    until: Times,
) -> int:
    """Looks for each id and remembers the new ones; returns by how many the table grew."""
    grown = 0
    for i in range(len(ids)):
        watermark = max(watermark, stamps[i])
        edge = max(watermark, times[i])
        at = _place(held, held_until, ids[i])
        fresh[i] = held_until[at] < edge
        until[i] = edge + lateness
        if fresh[i]:
            grown += held_until[at] < 0
            held[at], held_until[at] = ids[i], until[i]
    return grown


@njit(cache=True)
def _put(held: Ids, held_until: Times, ids: Ids, until: Times) -> int:
    """Remembers all of them; returns by how many the table grew."""
    grown = 0
    for i in range(len(ids)):
        at = _place(held, held_until, ids[i])
        grown += held_until[at] < 0
        held[at], held_until[at] = ids[i], until[i]
    return grown
