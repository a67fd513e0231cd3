"""The step: (state, run of raw records) -> batch. Read from top to bottom, it is the order of work.

Pure but for the state it is given: no I/O, no clock, no randomness. Any split of a log into runs gives the same
facts; a run that was committed before is refused by the store's fence.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from monitor.admit import Admission, Admitted, Late
from monitor.conversations import conversation_hashes
from monitor.joins import follow_joins, join, still_open
from monitor.replayable import sample
from monitor.run import Batch, Run
from monitor.signals.correction import SIZE, Signature, signatures
from monitor.slices import last_user_texts
from monitor.state import State
from monitor.tally import Places, Tally
from monitor.watch import Group

_SERVED, _NO_TURN = 0, 2
"""Cells of the correction signals: a turn of a conversation, and a request without one."""


def step(state: State, run: Run) -> Batch:
    """Everything that `run` adds to the world, ready to be committed in one transaction.

    `state` has moved on when this returns: if the commit fails, throw it away and restore it from the store.
    """
    batch = Batch(run.source, run.incarnation, run.start, run.end, watermark=0, mark=run.mark)
    admission = Admission(state, run, batch)
    tally = Tally()
    for part in admission.parts():
        while part.requests:  # each is let go when it is done, so that the next part's events reuse its memory
            name, admitted = part.requests.popitem()
            _observe(admitted, part.late.pop(name, []), tally, batch)
            del admitted
        for rest in part.late.values():
            for late in rest:
                join(late, tally, batch)
    batch.joins = [opened for opened in batch.joins if still_open(state, opened)]
    _remember(state, admission, batch)
    batch.deltas = tally.rows()
    batch.layouts |= tally.layouts
    return batch


def _observe(admitted: Admitted, late: Sequence[Late], tally: Tally, batch: Batch) -> None:
    """Signals, slices, units, corrections, joins and the shadow's sample of one deployment's requests."""
    events, watch = admitted.events, admitted.deployment.watch
    patterns = watch.slicer.patterns(events)
    buckets = [time // watch.width for time in admitted.times]
    places = tally.places(buckets, [event.variant for event in events], watch.slicer.masks(patterns))
    traffic = np.zeros((len(events), 1), dtype=np.int16)
    cells = np.hstack([*(family.judge_all(events) for family in watch.families), traffic])
    units, served = _follow(admitted, places, tally)
    tally.add(watch, places, {Group.LIVE: cells, Group.CORRECTION: np.column_stack((served, served))}, units)
    follow_joins(admitted, late, places, units, tally, batch)
    sampled = sample(admitted, buckets, patterns, units)
    if sampled:
        batch.sampled.extend(sampled)
        batch.layouts[watch.layouts[Group.PAIR].digest] = watch.layouts[Group.PAIR]
    batch.accepted += len(events)


def _follow(admitted: Admitted, places: Places, tally: Tally) -> tuple[NDArray[np.bool_], NDArray[np.int16]]:
    """Which events are units, and each event's cell of the correction signals; corrections go to earlier turns."""
    deployment, events = admitted.deployment, admitted.events
    watch, follow = deployment.watch, deployment.conversations.follow
    units, served = [True] * len(events), [_NO_TURN] * len(events)
    talking = [i for i, event in enumerate(events) if event.conversation is not None]
    turns = [events[i] for i in talking]
    texts = last_user_texts(turns)
    signed = signatures([text or "" for text in texts], watch.rule.seed).tobytes()
    prints = [Signature(signed[at : at + SIZE]) for at in range(0, len(signed), SIZE)]
    names = conversation_hashes(watch.name, [event.conversation or "" for event in turns], watch.rule.seed)
    where = [places.places[places.index[i]] for i in talking]
    times = [admitted.times[i] for i in talking]
    followed = map(follow, turns, names, times, where, texts, prints)
    for i, turn in zip(talking, followed, strict=True):
        units[i], served[i] = turn.unit, _SERVED
        if turn.correction is not None:
            tally.correct(watch, turn.correction)
    return np.array(units, dtype=np.bool_), np.array(served, dtype=np.int16)


def _remember(state: State, admission: Admission, batch: Batch) -> None:
    """Ids, tails and the watermark, each with the time at which it may be forgotten."""
    run, watermark = admission.run, admission.watermark
    lateness = state.lateness
    if run.drained:
        watermark = max(watermark, run.clock - lateness)
    batch.watermark = state.watermarks[run.source] = watermark
    if admission.fresh:
        expires = max(watermark, admission.newest) + lateness
        state.seen.add_pack(expires, admission.fresh)
        batch.seen.append((expires, state.seen.pack(admission.fresh)))
    oldest = min(state.watermarks.values())
    state.seen.expire(oldest)
    for deployment in state.deployments:
        conversations = deployment.conversations
        if body := conversations.take_touched():
            expires = max(watermark, admission.newest) + deployment.watch.lateness + conversations.horizon
            batch.tails.append((deployment.watch.name, expires, body))
        conversations.expire(oldest, deployment.watch.lateness)
        deployment.expire_joins(oldest)
