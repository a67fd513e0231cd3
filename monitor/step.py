"""The step: (state, run of raw records) -> batch. Read from top to bottom, it is the order of work.

Pure but for the state it is given: no I/O, no clock, no randomness. Any split of a log into runs gives the same
facts; a run that was committed before is refused by the store's fence.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from monitor.admit import Admission
from monitor.gather import Gathered
from monitor.joins import still_open
from monitor.run import Batch, Run
from monitor.seen import pack
from monitor.state import Deployment, State
from monitor.tally import Tally


def step(state: State, run: Run) -> Batch:
    """Everything that `run` adds to the world, ready to be committed in one transaction.

    `state` has moved on when this returns: if the commit fails, throw it away and restore it from the store.
    """
    batch = Batch(run.source, run.incarnation, run.start, run.end, watermark=0, mark=run.mark)
    admission = Admission(state, run, batch)
    tally = Tally()
    for gathered in _gather(admission):
        gathered.count(tally, batch)
    batch.joins = [opened for opened in batch.joins if still_open(state, opened)]
    _remember(state, admission, batch)
    batch.deltas = tally.rows()
    batch.layouts |= tally.layouts
    return batch


def _gather(admission: Admission) -> Iterable[Gathered]:
    """The run's requests by deployment, judged; in the order in which the deployments first came."""
    found: dict[str, Gathered] = {}

    def gathered(deployment: Deployment) -> Gathered:
        name = deployment.watch.name
        return found.get(name) or found.setdefault(name, Gathered(deployment))

    for part in admission.parts():
        for late in part.late.values():
            gathered(late[0].deployment).wait(late)
        while part.requests:  # each is let go when it is done, so that the next part's events reuse its memory
            _, admitted = part.requests.popitem()
            gathered(admitted.deployment).take(admitted)
            del admitted
    return found.values()


def _remember(state: State, admission: Admission, batch: Batch) -> None:
    """Ids, tails and the watermark, each with the time at which it may be forgotten."""
    run, watermark = admission.run, admission.watermark
    lateness = state.lateness
    if run.drained:
        watermark = max(watermark, run.clock - lateness)
    batch.watermark = state.watermarks[run.source] = watermark
    if admission.fresh:
        expires = max(watermark, admission.newest) + lateness
        ids, until = (np.concatenate(column) for column in zip(*admission.fresh, strict=True))
        state.seen.add_pack(expires, len(ids))
        batch.seen.append((expires, pack(ids, until)))
    oldest = min(state.watermarks.values())
    state.seen.expire(oldest)
    for deployment in state.deployments:
        conversations = deployment.conversations
        if body := conversations.take_touched():
            expires = max(watermark, admission.newest) + deployment.watch.lateness + conversations.horizon
            batch.tails.append((deployment.watch.name, expires, body))
        conversations.expire(oldest, deployment.watch.lateness)
        deployment.expire_joins(oldest)
