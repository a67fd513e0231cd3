"""Scores and feedback that come later: which units stay open for them, and where what comes is counted."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from monitor.admit import Admitted, Late
from monitor.model import ScoreReport
from monitor.run import Batch, OpenJoin, QuarantineRow
from monitor.signals.score import grid_cell, quantised
from monitor.tally import Places, Tally
from monitor.watch import Group

KINDS = ("feedback", "score")
"""In the order of their definitions in the group's layout."""


def open_joins(admitted: Admitted, places: Places, units: NDArray[np.bool_], tally: Tally, batch: Batch) -> None:
    """Keeps the declared share of the units open, once for each kind, and counts them as open."""
    deployment = admitted.deployment
    watch = deployment.watch
    limit = watch.rule.joins.share * 2**64
    if limit <= 0:
        return
    for i in np.flatnonzero(units).tolist():
        if admitted.identities[i] >= limit:
            continue
        place = places.places[places.index[i]]
        expires = admitted.times[i] + watch.horizons[Group.JOIN]
        for definition, kind in enumerate(KINDS):
            identity = watch.identity(kind, admitted.events[i].id)
            bucket, variant, mask = place
            join = OpenJoin(watch.name, identity, bucket, variant, mask, admitted.identities[i], expires)
            deployment.joins[identity] = join
            batch.joins.append(join)
            tally.one(watch, Group.JOIN, place, unit=True, definition=definition, cell=0)


def join(late: Late, tally: Tally, batch: Batch) -> None:
    """Counts a late score or feedback in its turn's own bucket, at most once; unmatched, it is quarantined."""
    watch = late.deployment.watch
    kind = late.record.kind
    identity = watch.identity(kind, late.record.request)
    found = late.deployment.joins.get(identity)
    if found is None or late.time > found.expires:
        batch.quarantine.append(QuarantineRow(late.position, f"unmatched_{kind}", "", late.raw))
        return
    if isinstance(late.record, ScoreReport):
        cell = 1 + grid_cell(quantised(late.record.value) or 0, found.event_hash)
    else:
        cell = 1 if late.record.rating == "up" else 2
    place = (found.bucket, found.variant, found.mask)
    tally.one(watch, Group.JOIN, place, unit=True, definition=KINDS.index(kind), cell=cell)
    del late.deployment.joins[identity]
    batch.joined.append((watch.name, identity))
    batch.accepted += 1
