"""What one run adds to the facts: counts gathered by (bucket, variant, membership), then packed as deltas."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from monitor.conversations import Correction
from monitor.counting import Hits, sparse
from monitor.facts import Layout, pack_rows
from monitor.run import DeltaRow
from monitor.tails import Place
from monitor.watch import Group, Watch

Row = tuple[int, str, int, bytes]
"""Bucket, variant, population and mask: deltas hold their rows in this order."""

_ALL, _UNIT = 0, 1


class Places:
    """The places of some events: `index[i]` says which of `places` event i belongs to, `known` ones among them."""

    def __init__(
        self, buckets: Sequence[int], variants: Sequence[str], masks: Sequence[bytes], known: dict[Place, int]
    ) -> None:
        keys = zip(buckets, variants, masks, strict=True)
        self.index = np.array([known.setdefault(place, len(known)) for place in keys], dtype=np.int64)
        self.places = list(known)


class Tally:
    """Counts of one run. Adding is commutative, so the order of calls does not matter to `rows`."""

    def __init__(self) -> None:
        self._layouts: dict[tuple[str, Group], Layout] = {}
        self._known: dict[Place, int] = {}
        self._hits: dict[tuple[str, Group], list[Hits]] = defaultdict(list)
        self._single: Counter[tuple[str, Group, Place, int, int]] = Counter()

    def add(
        self, watch: Watch, places: Places, cells: Mapping[Group, NDArray[np.int16]], units: NDArray[np.bool_]
    ) -> None:
        """Counts every event once under `all`, and once under `unit` where `units` says so.

        The cells of a group have shape (events, definitions of the group); `places` come from `self.places`.
        """
        for group, found in cells.items():
            self._layout(watch, group)
            self._hits[watch.name, group].append(Hits(places.index, found, units))

    def places(self, buckets: Sequence[int], variants: Sequence[str], masks: Sequence[bytes]) -> Places:
        """The places of some events, numbered through the run."""
        return Places(buckets, variants, masks, self._known)

    def one(self, watch: Watch, group: Group, place: Place, *, unit: bool, definition: int, cell: int) -> None:
        """Counts a single outcome at a place, under `all` and, for a unit, under `unit`."""
        at = int(self._layout(watch, group).offsets[definition]) + cell
        self._single[watch.name, group, place, _ALL, at] += 1
        if unit:
            self._single[watch.name, group, place, _UNIT, at] += 1

    def correct(self, watch: Watch, correction: Correction) -> None:
        """Counts a correction against the turn that it corrects."""
        place = (correction.bucket, correction.variant, correction.mask)
        self.one(watch, Group.CORRECTION, place, unit=correction.unit, definition=0, cell=1)
        if correction.loop:
            self.one(watch, Group.CORRECTION, place, unit=correction.unit, definition=1, cell=1)

    def rows(self) -> list[DeltaRow]:
        """The deltas, one per (deployment, group, bucket), in that order."""
        singles: dict[tuple[str, Group], list[tuple[Place, int, int, int]]] = defaultdict(list)
        for (name, group, place, population, at), n in self._single.items():
            singles[name, group].append((place, population, at, n))
        return [row for key in sorted(self._layouts) for row in self._deltas(key, singles[key])]

    @property
    def layouts(self) -> dict[str, Layout]:
        """Every layout that the deltas name, by digest."""
        return {layout.digest: layout for layout in self._layouts.values()}

    def _deltas(self, key: tuple[str, Group], singles: list[tuple[Place, int, int, int]]) -> Iterator[DeltaRow]:
        """One group's deltas: its rows in their order, counted together, cut at the buckets."""
        layout, hits = self._layouts[key], _joined(self._hits[key], len(self._layouts[key].definitions))
        for place, *_ in singles:
            self._known.setdefault(place, len(self._known))
        used = set(hits.index.tolist()).union(self._known[place] for place, *_ in singles)
        rows = _sorted_rows(place for place, number in self._known.items() if number in used)
        number = {row: r for r, row in enumerate(rows)}
        extra = sorted((number[_row(place, population)], at, n) for place, population, at, n in singles)
        begins, at, n = sparse(
            layout,
            hits,
            np.array(extra, dtype=np.int64).reshape(-1, 3),
            np.array([self._known[bucket, variant, mask] for bucket, variant, _, mask in rows], dtype=np.int64),
            np.array([population == _UNIT for _, _, population, _ in rows], dtype=np.bool_),
        )
        cells = int(layout.offsets[-1])
        filled = np.flatnonzero(np.diff(begins)).tolist()
        for bucket, together in groupby(filled, key=lambda r: rows[r][0]):
            kept = list(together)
            edges = np.append(begins[kept], begins[kept[-1] + 1])
            part = slice(edges[0], edges[-1])
            body = pack_rows([rows[r][1:] for r in kept], cells, edges, at[part], n[part])
            yield DeltaRow(*key, bucket, layout.digest, body)

    def _layout(self, watch: Watch, group: Group) -> Layout:
        return self._layouts.setdefault((watch.name, group), watch.layouts[group])


def _joined(parts: Sequence[Hits], definitions: int) -> Hits:
    if not parts:
        nothing = np.zeros(0, dtype=np.int64)
        return Hits(nothing, np.zeros((0, definitions), dtype=np.int16), nothing.astype(np.bool_))
    return Hits(
        np.concatenate([part.index for part in parts]),
        np.concatenate([part.cells for part in parts]),
        np.concatenate([part.units for part in parts]),
    )


def _row(place: Place, population: int) -> Row:
    bucket, variant, mask = place
    return bucket, variant, population, mask


def _sorted_rows(places: Iterable[Place]) -> list[Row]:
    """Two rows a place, one a population, in the order of deltas."""
    return sorted(_row(place, population) for place in places for population in (_ALL, _UNIT))
