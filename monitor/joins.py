"""Scores and feedback that come later: which units stay open for them, and where what comes is counted."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from monitor.admit import Admitted, Late
from monitor.model import ScoreReport
from monitor.run import Batch, OpenJoin, QuarantineRow
from monitor.signals.score import grid_cell, quantised
from monitor.state import Deployment, State
from monitor.tails import Place
from monitor.tally import Places, Tally
from monitor.watch import Group

KINDS = ("feedback", "score")
"""In the order of their definitions in the group's layout."""


class Joinable(NamedTuple):
    """A request that may be kept open, if it is a unit: its row in the run, its id, time and identity."""

    row: int
    id: str
    time: int
    identity: int


def joinable(admitted: Admitted, rows: int) -> list[Joinable]:
    """Those of the next requests, the first of which is row `rows`, that the declared share takes."""
    watch = admitted.deployment.watch
    limit = watch.rule.joins.share * 2**64
    if limit <= 0 or not watch.sees_requests:
        return []
    numbers = enumerate(zip(admitted.events, admitted.times.tolist(), admitted.identities.tolist(), strict=True), rows)
    return [Joinable(row, event.id, time, name) for row, (event, time, name) in numbers if name < limit]


def follow_joins(
    deployment: Deployment,
    opening: Sequence[Joinable],
    late: Sequence[Late],
    places: Places,
    units: NDArray[np.bool_],
    tally: Tally,
    batch: Batch,
) -> None:
    """Opens the declared share of the units and joins what came, in the order of the log."""
    waiting = deque(late)
    for one in opening:
        while waiting and waiting[0].after <= one.row:
            _join(waiting.popleft(), tally, batch)
        if units[one.row]:
            _open(deployment, one, places.places[places.index[one.row]], tally, batch)
    for rest in waiting:
        _join(rest, tally, batch)


def still_open(state: State, opened: OpenJoin) -> bool:
    """Whether nothing has come for it yet, and no later request has taken its id."""
    deployment = state.deployment(opened.deployment)
    return deployment is not None and deployment.joins.get(opened.request) is opened


def _open(deployment: Deployment, one: Joinable, place: Place, tally: Tally, batch: Batch) -> None:
    """Keeps one unit open, once for each kind, and counts it as open. While an id is open, its first request has it."""
    watch, (bucket, variant, mask) = deployment.watch, place
    expires = one.time + watch.horizons[Group.JOIN] + watch.lateness
    for definition, kind in enumerate(KINDS):
        identity = watch.identity(kind, one.id)
        before = deployment.joins.get(identity)
        if before is not None:
            if one.time <= before.expires - watch.lateness:
                continue
            batch.joined.append((watch.name, identity))
        opened = OpenJoin(watch.name, identity, bucket, variant, mask, one.identity, expires)
        deployment.joins[identity] = opened
        batch.joins.append(opened)
        tally.one(watch, Group.JOIN, place, unit=True, definition=definition, cell=0)


def _join(late: Late, tally: Tally, batch: Batch) -> None:
    """Counts a late score or feedback in its turn's own bucket, at most once; unmatched, it is quarantined."""
    watch = late.deployment.watch
    kind = late.record.kind
    identity = watch.identity(kind, late.record.request)
    found = late.deployment.joins.get(identity)
    if found is None or late.time > found.expires - watch.lateness:
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
