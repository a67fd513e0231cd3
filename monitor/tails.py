"""The table of conversation tails: the last turn of each, as numbers and a keyed signature, never as text."""

from __future__ import annotations

from typing import Any, Final

import msgspec
import numpy as np
from numba import njit
from numpy.typing import NDArray

from monitor.errors import IntegrityError
from monitor.signals.text import WIDTH, Words16

Ints = NDArray[np.int64]
Small = NDArray[np.int32]
Flags = NDArray[np.bool_]
Rows = NDArray[Any]

Place = tuple[int, str, bytes]
"""Bucket, variant and membership mask: where a count belongs."""

ROW: Final = np.dtype(
    [
        ("name", "<i8"),
        ("time", "<i8"),
        ("place", "<i4"),
        ("run", "<i4"),
        ("unit", "?"),
        ("given", "?"),
        ("signature", "<u2", (WIDTH,)),
    ]
)
"""A tail: the conversation's name, its last turn's time (ms), the number of the place where it was served, how many
corrections it ends in a row, whether it is the unit, whether any turn was, and the signature of its prompt."""

NOBODY: Final = -1
"""In `Tails.follow`'s answer there is no turn before. An earlier turn of the same call is its own index, and the
turn that row r of the table holds is -2 - r."""

_LEAST: Final = 1_024


class _Stored(msgspec.Struct, frozen=True):
    places: tuple[Place, ...]
    rows: bytes


class Tails:
    """Rows of `ROW`, found by name. Bounded by `sweep`."""

    def __init__(self) -> None:
        self.places: list[Place] = []
        self._numbers: dict[Place, int] = {}
        self._held = 0
        self._rows: Rows
        self._touched: Flags
        self._adopt(np.zeros(0, dtype=ROW), np.zeros(0, dtype=np.bool_))

    def __len__(self) -> int:
        return self._held

    @property
    def rows(self) -> Rows:
        """The rows that are held. A view: it is good until the next call."""
        return self._rows[: self._held]

    def number(self, place: Place) -> int:
        """The number of a place, until the next `sweep`."""
        found = self._numbers.get(place)
        if found is None:
            found = self._numbers[place] = len(self.places)
            self.places.append(place)
        return found

    def follow(self, names: Ints, times: Ints, drawn: Flags, horizon: int) -> tuple[Flags, Ints, Ints]:
        """Takes turns in log order: which are units, the turn before each as `NOBODY` explains, and their rows.

        A turn older than the remembered one changes nothing but itself, and has none before it; nor has one that
        comes later than `horizon` after it. What else belongs to a turn is written by `settle`.
        """
        self._make_room(len(names))
        units = np.empty(len(names), dtype=np.bool_)
        before, rows = np.empty((2, len(names)), dtype=np.int64)
        name, time, given = (self._rows[column] for column in ("name", "time", "given"))
        self._held = _follow(
            self._slots, name, time, given, self._last, self._touched, self._held, names, times, drawn, horizon, units,
            before, rows,
        )  # fmt: skip
        return units, before, rows

    def settle(self, rows: Ints, places: Small, units: Flags, runs: Small, signatures: Words16) -> None:
        """Writes what belongs to the turns that `follow` took, in these rows: each gets its last one's."""
        turns = np.flatnonzero(self._last[rows] == np.arange(len(rows)))
        rows = rows[turns]
        self._last[rows] = -1
        for column, values in (("place", places), ("unit", units), ("run", runs), ("signature", signatures)):
            self._rows[column][rows] = values[turns]

    def take_touched(self) -> Rows:
        """A copy of the rows that changed since the last call, in the order of their names."""
        changed = np.flatnonzero(self._touched[: self._held])
        self._touched[changed] = False
        rows: Rows = self._rows[changed]
        return rows[np.argsort(rows["name"])]

    def packed(self, rows: Rows) -> bytes:
        """Rows of this table as bytes for the store."""
        used, rows["place"] = np.unique(rows["place"], return_inverse=True)
        return _encode(_Stored(tuple(self.places[number] for number in used.tolist()), rows.tobytes()))

    def restore(self, body: bytes) -> Rows:
        """Puts back packed rows, and returns them; they replace what is held under the same names."""
        rows, places = _unpacked(body)
        numbers = np.array([self.number(place) for place in places], dtype=np.int32)
        rows["place"] = numbers[rows["place"]]
        self._make_room(len(rows))
        at = np.empty(len(rows), dtype=np.int64)
        self._held = _find_all(self._slots, self._rows["name"], self._held, rows["name"].copy(), at)
        self._rows[at] = rows
        return rows

    def sweep(self, edge: int) -> None:
        """Forgets the rows whose last turn is older than `edge`, and the places that no other row names."""
        kept = self.rows["time"] >= edge
        rows, touched = self.rows[kept], self._touched[: self._held][kept]
        used, rows["place"] = np.unique(rows["place"], return_inverse=True)
        self.places = [self.places[number] for number in used.tolist()]
        self._numbers = {place: number for number, place in enumerate(self.places)}
        self._adopt(rows, touched)

    def _make_room(self, more: int) -> None:
        if self._held + more > len(self._rows):
            self._adopt(self.rows, self._touched[: self._held], more)

    def _adopt(self, rows: Rows, touched: Flags, more: int = 0) -> None:
        """Makes these the rows that are held, with room for half as many again and `more`."""
        size = max(_LEAST, len(rows) * 3 // 2 + more)
        self._held = len(rows)
        self._rows = np.zeros(size, dtype=ROW)
        self._rows[: len(rows)] = rows
        self._touched = np.zeros(size, dtype=np.bool_)
        self._touched[: len(rows)] = touched
        self._last: Small = np.full(size, -1, dtype=np.int32)
        self._slots: Small = np.full(1 << (2 * size - 1).bit_length(), -1, dtype=np.int32)
        _index(self._slots, self._rows["name"], self._held)


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_Stored).decode


def _unpacked(body: bytes) -> tuple[Rows, tuple[Place, ...]]:
    try:
        stored = _decode(body)
        rows = np.frombuffer(stored.rows, dtype=ROW).copy()
    except (msgspec.MsgspecError, ValueError):
        raise IntegrityError("packed conversations are broken") from None
    return rows, stored.places


@njit(cache=True)
def _slot(slots: Small, held: Ints, name: np.int64) -> int:
    """Where the number of a name's row stands, or would stand."""
    mask = len(slots) - 1
    at = (name ^ (name >> 32)) & mask
    while slots[at] >= 0 and held[slots[at]] != name:
        at = (at + 1) & mask
    return at  # type: ignore[return-value]


@njit(cache=True)
def _index(slots: Small, held: Ints, count: int) -> None:
    """Enters the first `count` rows; their names are different."""
    for row in range(count):
        slots[_slot(slots, held, held[row])] = row


@njit(cache=True)
def _find_all(slots: Small, held: Ints, count: int, names: Ints, rows: Ints) -> int:
    """The row of each name, a new one where there is none; returns how many there are now."""
    for i in range(len(names)):
        at = _slot(slots, held, names[i])
        if slots[at] < 0:
            slots[at], held[count] = count, names[i]
            count += 1
        rows[i] = slots[at]
    return count


@njit(cache=True)
def _follow(
    slots: Small,
    held: Ints,
    time: Ints,
    given: Flags,
    last: Small,
    touched: Flags,
    count: int,
    names: Ints,
    times: Ints,
    drawn: Flags,
    horizon: int,
    units: Flags,
    before: Ints,
    rows: Ints,
) -> int:
    """`Tails.follow`, turn after turn; returns how many rows there are now."""
    for i in range(len(names)):
        at = _slot(slots, held, names[i])
        known = slots[at] >= 0
        if not known:
            slots[at], held[count] = count, names[i]
            count += 1
        row = slots[at]
        rows[i] = row
        known = known and times[i] <= time[row] + horizon
        units[i] = drawn[i] and not (known and given[row])
        before[i] = NOBODY
        touched[row] = True
        if known and times[i] < time[row]:
            given[row] |= units[i]
            continue
        if known:
            before[i] = last[row] if last[row] >= 0 else -2 - row
        given[row] = units[i] or (known and given[row])
        time[row], last[row] = times[i], i
    return count
