"""What one run adds to the facts: counts gathered by (bucket, variant, membership), then packed as deltas."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from monitor.conversations import Correction
from monitor.facts import Counts, Layout, count_cells, pack
from monitor.run import DeltaRow
from monitor.watch import Group, Watch

Place = tuple[int, str, bytes]
"""Bucket, variant and membership mask: where a count belongs."""

_ALL, _UNIT = 0, 1


class Places:
    """The places of a run's events: `index[i]` says which of `places` event i belongs to."""

    def __init__(self, buckets: Sequence[int], variants: Sequence[str], masks: Sequence[bytes]) -> None:
        known: dict[Place, int] = {}
        index = [known.setdefault(place, len(known)) for place in zip(buckets, variants, masks, strict=True)]
        self.index: NDArray[np.int64] = np.array(index, dtype=np.int64)
        self.places = list(known)


class Tally:
    """Counts of one run. Adding is commutative, so the order of calls does not matter to `rows`."""

    def __init__(self) -> None:
        self._layouts: dict[tuple[str, Group], Layout] = {}
        self._dense: dict[tuple[str, Group, int], dict[tuple[str, int, bytes], Counts]] = defaultdict(dict)
        self._single: Counter[tuple[str, Group, Place, int, int]] = Counter()

    def add(
        self, watch: Watch, group: Group, places: Places, cells: NDArray[np.int16], units: NDArray[np.bool_]
    ) -> None:
        """Counts every event once under `all`, and once under `unit` where `units` says so.

        `cells` has shape (events, definitions of the group).
        """
        layout = self._layout(watch, group)
        dense = np.zeros((2, len(places.places), int(layout.offsets[-1])), dtype=np.int64)
        count_cells(cells, layout.offsets, places.index, dense[_ALL])
        count_cells(cells[units], layout.offsets, places.index[units], dense[_UNIT])
        for population in (_ALL, _UNIT):
            for (bucket, variant, mask), counts in zip(places.places, dense[population], strict=True):
                if counts.any():
                    self._dense[watch.name, group, bucket][variant, population, mask] = counts

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
        for (name, group, (bucket, variant, mask), population, at), n in self._single.items():
            rows = self._dense[name, group, bucket]
            key = (variant, population, mask)
            if key not in rows:
                rows[key] = np.zeros(int(self._layouts[name, group].offsets[-1]), dtype=np.int64)
            rows[key][at] += n
        return [
            DeltaRow(
                name, group, bucket, self._layouts[name, group].digest, pack(list(rows), np.stack(list(rows.values())))
            )
            for (name, group, bucket), rows in sorted(self._dense.items())
        ]

    @property
    def layouts(self) -> dict[str, Layout]:
        """Every layout that the deltas name, by digest."""
        return {layout.digest: layout for layout in self._layouts.values()}

    def _layout(self, watch: Watch, group: Group) -> Layout:
        return self._layouts.setdefault((watch.name, group), watch.layouts[group])
