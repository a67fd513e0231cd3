"""The first half of a step: from raw records to admitted ones. What is not admitted is counted or quarantined."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import repeat
from typing import Final, cast

import numpy as np

from monitor.errors import Reject
from monitor.model import Event, Feedback, Record, ScoreReport
from monitor.pieces import Lines, Listed, Piece, listed
from monitor.plain import decode_plain
from monitor.run import Batch, QuarantineRow, Run
from monitor.seen import Ids, Times
from monitor.state import Deployment, State
from monitor.watch import Watch
from monitor.wire import decode_all, milliseconds

PART: Final = 256
"""Records that are decoded and looked at together: calls into arrays cost little then, and memory is soon reused.

A source that hands over lines cuts them into pieces of about as many."""


@dataclass(slots=True)
class Admitted:
    """The admitted requests of one deployment, in log order, all parallel. Times are milliseconds.

    `rows` says which records of `piece` they were.
    """

    deployment: Deployment
    events: list[Event]
    times: Times
    identities: Ids
    piece: Piece
    rows: Sequence[int]

    def raw(self, i: int) -> bytes:
        """The bytes of request i."""
        return listed(self.piece).records[self.rows[i]]


@dataclass(slots=True)
class Taken:
    """Requests of one deployment that were taken one by one."""

    events: list[Event] = field(default_factory=list)
    times: list[int] = field(default_factory=list)
    identities: list[int] = field(default_factory=list)
    rows: list[int] = field(default_factory=list)

    def admitted(self, deployment: Deployment, piece: Piece) -> Admitted:
        """The same in columns."""
        times, identities = np.array(self.times, dtype=np.int64), np.array(self.identities, dtype=np.uint64)
        return Admitted(deployment, self.events, times, identities, piece, self.rows)


@dataclass(slots=True)
class Late:
    """An admitted score or feedback, at its place in the log: after so many requests of its deployment in its part."""

    deployment: Deployment
    record: ScoreReport | Feedback
    time: int
    position: int
    raw: bytes
    after: int


@dataclass(slots=True)
class Part:
    """What was admitted of some consecutive records, by deployment."""

    requests: dict[str, Admitted] = field(default_factory=dict)
    late: dict[str, list[Late]] = field(default_factory=dict)


@dataclass(slots=True)
class Desk:
    """What admission to one deployment depends on during a run, and what was admitted of the present part."""

    deployment: Deployment
    watch: Watch
    variants: Mapping[str, object]
    lateness: int
    latest: int
    open_from: int
    taken: Taken = field(default_factory=Taken)


class Admission:
    """Admits the records of one run, one after the other; batch boundaries do not matter to what is admitted."""

    def __init__(self, state: State, run: Run, batch: Batch) -> None:
        self.state = state
        self.run = run
        self.batch = batch
        self.watermark = state.watermarks.get(run.source, 0)
        self.fresh: list[tuple[Ids, Times]] = []
        self._desks: dict[str, Desk] = {}
        self.newest = 0

    def parts(self) -> Iterator[Part]:
        """Goes through the run, part by part; afterwards the `fresh` ids and the watermark are complete.

        The events of a part are to be let go before the next one is asked for.
        """
        for piece in self.run.pieces(PART):
            yield self._part(piece)

    def _part(self, piece: Piece) -> Part:
        part, records = Part(), _decoded(piece)
        if not self._take_alike(records, piece, part):
            self._take_each(records, piece, part)
        return part

    def _take_alike(self, records: Sequence[Record | Reject], piece: Piece, part: Part) -> bool:
        """Takes records as most are: requests of one deployment, none early or late; else does nothing and says so.

        Column by column, because many steps of one kind cost half of as many of changing kinds.
        """
        if set(map(type, records)) != {Event}:
            return False
        events = cast("list[Event]", records)
        stamps = [event.time for event in events]
        names = {event.deployment for event in events}
        if len(names) > 1 or set(map(type, stamps)) != {float}:
            return False
        [name] = names
        if {event.received_at for event in events} != {None} or self.state.deployment(name) is None:
            return False
        desk = self._desks.get(name) or self._desk(name)
        times = (np.array(stamps, dtype=np.float64) * 1000).astype(np.int64)
        arrivals = times if isinstance(piece, Lines) or not piece.arrivals else np.array(piece.arrivals, np.int64)
        last, oldest = int(arrivals.max()), int(times.min())
        on_time = desk.open_from <= oldest and max(self.watermark, last) - desk.lateness <= oldest
        if last > desk.latest or not on_time or (times > arrivals + desk.lateness).any():
            return False
        if desk.variants and not desk.variants.keys() >= {event.variant for event in events}:
            return False
        identities = desk.watch.identities("request", [event.id for event in events])
        taken = Admitted(desk.deployment, events, times, identities, piece, range(len(events)))
        found = self._without_copies(taken, arrivals, desk.lateness)
        if found.events:
            part.requests[name] = found
        self.watermark, self.newest = max(self.watermark, last), max(self.newest, int(times.max()))
        return True

    def _without_copies(self, found: Admitted, arrivals: Times, lateness: int) -> Admitted:
        """The requests whose id is not remembered; from now on it is."""
        fresh, until = self.state.seen.take(found.identities, found.times, arrivals, self.watermark, lateness)
        if not fresh.all():
            self.batch.duplicates += len(fresh) - int(fresh.sum())
            rows = np.flatnonzero(fresh).tolist()
            events = [found.events[row] for row in rows]
            times, identities = found.times[fresh], found.identities[fresh]
            found = Admitted(found.deployment, events, times, identities, found.piece, rows)
        self.fresh.append((found.identities, until[fresh]))
        return found

    def _take_each(self, records: Sequence[Record | Reject], piece: Piece, part: Part) -> None:
        cut = listed(piece)
        natives = list(cut.records)  # what was translated is kept as it was understood
        arrivals = cut.arrivals or repeat(None)
        for row, (record, raw, position, arrival) in enumerate(
            zip(records, cut.records, cut.positions, arrivals, strict=False)
        ):
            try:
                if type(record) is Event:
                    self._take(record, row, arrival)
                elif isinstance(record, Reject):
                    event, natives[row] = self.state.reader.translate(raw, record, self.run.source)
                    self._take(event, row, arrival)
                else:
                    self._take_late(record, raw, position, arrival, part)
            except Reject as reject:
                self.batch.quarantine.append(QuarantineRow(position, reject.reason, reject.detail, raw))
        for name, desk in self._desks.items():
            if desk.taken.events:
                kept = Listed(cut.positions, natives)
                part.requests[name], desk.taken = desk.taken.admitted(desk.deployment, kept), Taken()

    def _take(self, event: Event, row: int, arrival: int | None) -> None:
        desk = self._desks.get(event.deployment) or self._desk(event.deployment)
        time = milliseconds(event.time)
        received = event.received_at
        self._keep_time(time, arrival if received is None else milliseconds(received), desk)
        if desk.variants and event.variant not in desk.variants:
            raise Reject("unknown_variant")
        identity = desk.watch.identity("request", event.id)
        one, stamp = np.array([identity], dtype=np.uint64), np.array([time], dtype=np.int64)
        fresh, until = self.state.seen.take(one, stamp, stamp, self.watermark, desk.lateness)
        if not fresh[0]:
            self.batch.duplicates += 1
            return
        self.fresh.append((one, until))
        taken = desk.taken
        taken.events.append(event)
        taken.times.append(time)
        taken.identities.append(identity)
        taken.rows.append(row)

    def _take_late(self, record: Record, raw: bytes, position: int, arrival: int | None, part: Part) -> None:
        if not isinstance(record, ScoreReport | Feedback):
            raise Reject("unknown_kind")
        desk = self._desks.get(record.deployment) or self._desk(record.deployment)
        time = milliseconds(record.time)
        self._keep_time(time, arrival, desk)
        late = Late(desk.deployment, record, time, position, raw, len(desk.taken.events))
        part.late.setdefault(record.deployment, []).append(late)

    def _desk(self, name: str) -> Desk:
        deployment = self.state.deployment(name)
        if deployment is None:
            raise Reject("unknown_deployment")
        watch = deployment.watch
        self._desks[name] = Desk(
            deployment=deployment,
            watch=watch,
            variants=watch.rule.variants,
            lateness=watch.lateness,
            latest=self.run.clock + watch.lateness,
            open_from=deployment.sealed * watch.width,
        )
        return self._desks[name]

    def _keep_time(self, time: int, arrival: int | None, desk: Desk) -> None:
        """Refuses what is early or late, and moves the watermark with what came on time.

        A reader that finds a log at its end moves the watermark to lateness before its clock. Whether one was there to
        do so must not matter: what such a reader would have refused is refused in any case.
        """
        stamp, lateness = time if arrival is None else arrival, desk.lateness
        if stamp > desk.latest or time > stamp + lateness:
            raise Reject("early")
        before = max(self.watermark, stamp - lateness)
        if stamp > self.watermark:
            self.watermark = stamp
        if time < before - lateness or time < desk.open_from:
            raise Reject("late")
        if time > self.newest:
            self.newest = time


def _decoded(piece: Piece) -> Sequence[Record | Reject]:
    """What each record of a piece is."""
    if isinstance(piece, Lines):
        events = decode_plain(piece.body)
        if events is not None:
            return events
    return decode_all(listed(piece).records)
