"""The first half of a step: from raw records to admitted ones. What is not admitted is counted or quarantined."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate, repeat
from typing import Final, cast

from monitor.errors import Reject
from monitor.model import Event, Feedback, Record, ScoreReport
from monitor.run import Batch, QuarantineRow, Run
from monitor.state import Deployment, State
from monitor.watch import Watch
from monitor.wire import decode_all, milliseconds

PART: Final = 256
"""Records that are decoded and looked at together: calls into arrays cost little then, and memory is soon reused."""


Columns = tuple[list[Event], list[bytes], list[int], list[int]]
"""Events, raw records, times and identities of the same requests."""


@dataclass(slots=True)
class Admitted:
    """The admitted requests of one deployment, in log order; all lists are parallel."""

    deployment: Deployment
    events: list[Event] = field(default_factory=list)
    raws: list[bytes] = field(default_factory=list)
    times: list[int] = field(default_factory=list)
    identities: list[int] = field(default_factory=list)


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
    taken: Admitted


class Admission:
    """Admits the records of one run, one after the other; batch boundaries do not matter to what is admitted."""

    def __init__(self, state: State, run: Run, batch: Batch) -> None:
        self.state = state
        self.run = run
        self.batch = batch
        self.watermark = state.watermarks.get(run.source, 0)
        self.fresh: list[int] = []
        self._desks: dict[str, Desk] = {}
        self._remembered = state.seen.until
        self.newest = 0

    def parts(self) -> Iterator[Part]:
        """Goes through the run, part by part; afterwards the `fresh` ids and the watermark are complete.

        The events of a part are to be let go before the next one is asked for.
        """
        for start in range(0, len(self.run.records), PART):
            yield self._part(slice(start, start + PART))

    def _part(self, here: slice) -> Part:
        part, run = Part(), self.run
        raws = run.records[here]
        records = decode_all(raws)
        if run.arrivals or not self._take_alike(records, raws):
            self._take_each(records, raws, here, part)
        for name, desk in self._desks.items():
            if desk.taken.events:
                part.requests[name], desk.taken = desk.taken, Admitted(desk.deployment)
        return part

    def _take_alike(self, records: Sequence[Record | Reject], raws: Sequence[bytes]) -> bool:
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
        times = [int(stamp * 1000) for stamp in cast("list[float]", stamps)]
        newest, oldest = max(times), min(times)
        on_time = desk.open_from <= oldest and max(self.watermark, newest) - desk.lateness <= oldest
        if newest > desk.latest or not on_time:
            return False
        if desk.variants and not desk.variants.keys() >= {event.variant for event in events}:
            return False
        identities = desk.watch.identities("request", [event.id for event in events])
        columns = self._without_copies((events, list(raws), times, identities), desk.lateness)
        desk.taken = Admitted(desk.deployment, *columns)
        self.fresh += desk.taken.identities
        self.watermark, self.newest = max(self.watermark, newest), max(self.newest, newest)
        return True

    def _without_copies(self, columns: Columns, lateness: int) -> Columns:
        """The columns without the events whose id is remembered; the others' are remembered from now on."""
        _, _, times, identities = columns
        remembered, copies = self._remembered, []
        marks = accumulate(times, max, initial=self.watermark)
        next(marks)
        for i, (identity, watermark) in enumerate(zip(identities, marks, strict=True)):
            if remembered.get(identity, -1) >= watermark:
                copies.append(i)
            else:
                remembered[identity] = watermark + lateness
        self.batch.duplicates += len(copies)
        if not copies:
            return columns
        kept = sorted(set(range(len(times))).difference(copies))
        return tuple([column[i] for i in kept] for column in columns)  # type: ignore[return-value]

    def _take_each(self, records: Sequence[Record | Reject], raws: Sequence[bytes], here: slice, part: Part) -> None:
        arrivals = self.run.arrivals[here] if self.run.arrivals else repeat(None)
        for record, raw, position, arrival in zip(records, raws, self.run.positions[here], arrivals, strict=False):
            try:
                if type(record) is Event:
                    self._take(record, raw, arrival)
                else:
                    self._take_late(record, raw, position, arrival, part)
            except Reject as reject:
                self.batch.quarantine.append(QuarantineRow(position, reject.reason, reject.detail, raw))

    def _take(self, event: Event, raw: bytes, arrival: int | None) -> None:
        desk = self._desks.get(event.deployment) or self._desk(event.deployment)
        time = milliseconds(event.time)
        received = event.received_at
        self._keep_time(time, arrival if received is None else milliseconds(received), desk)
        if desk.variants and event.variant not in desk.variants:
            raise Reject("unknown_variant")
        identity = desk.watch.identity("request", event.id)
        remembered, watermark = self._remembered, self.watermark
        if remembered.get(identity, -1) >= watermark:
            self.batch.duplicates += 1
            return
        remembered[identity] = (time if time > watermark else watermark) + desk.lateness
        self.fresh.append(identity)
        taken = desk.taken
        taken.events.append(event)
        taken.raws.append(raw)
        taken.times.append(time)
        taken.identities.append(identity)

    def _take_late(self, record: Record | Reject, raw: bytes, position: int, arrival: int | None, part: Part) -> None:
        if not isinstance(record, ScoreReport | Feedback):
            raise record if isinstance(record, Reject) else Reject("unknown_kind")
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
            taken=Admitted(deployment),
        )
        return self._desks[name]

    def _keep_time(self, time: int, arrival: int | None, desk: Desk) -> None:
        """Refuses what is early or late, and moves the watermark with what came on time."""
        stamp, lateness = time if arrival is None else arrival, desk.lateness
        if stamp > desk.latest or time > stamp + lateness:
            raise Reject("early")
        before = self.watermark
        if stamp > before:
            self.watermark = stamp
        if time < before - lateness or time < desk.open_from:
            raise Reject("late")
        if time > self.newest:
            self.newest = time
