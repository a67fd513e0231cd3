"""The first half of a step: from raw records to admitted ones. What is not admitted is counted or quarantined."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from monitor.errors import Reject
from monitor.model import Event, Feedback, ScoreReport
from monitor.run import Batch, QuarantineRow, Run
from monitor.state import Deployment, State
from monitor.wire import decode, milliseconds


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
    """An admitted score or feedback, at its place in the log: after so many requests of its deployment in this run."""

    deployment: Deployment
    record: ScoreReport | Feedback
    time: int
    position: int
    raw: bytes
    after: int


class Admission:
    """Admits the records of one run, one after the other; batch boundaries do not matter to what is admitted."""

    def __init__(self, state: State, run: Run, batch: Batch) -> None:
        self.state = state
        self.run = run
        self.batch = batch
        self.watermark = state.watermarks.get(run.source, 0)
        self.requests: dict[str, Admitted] = {}
        self.late: dict[str, list[Late]] = {}
        self.fresh: list[int] = []
        self.newest = 0

    def admit_all(self) -> None:
        """Goes through the run; afterwards `requests`, `late`, `fresh` ids and the watermark are complete."""
        arrivals: Sequence[int | None] = self.run.arrivals or [None] * len(self.run.records)
        for position, raw, arrival in zip(self.run.positions, self.run.records, arrivals, strict=True):
            try:
                self._admit(position, raw, arrival)
            except Reject as reject:
                self.batch.quarantine.append(QuarantineRow(position, reject.reason, reject.detail, raw))

    def _admit(self, position: int, raw: bytes, arrival: int | None) -> None:
        record = decode(raw)
        deployment = self.state.deployment(record.deployment)
        if deployment is None:
            raise Reject("unknown_deployment")
        if type(record) is Event:
            time = self._timely(record, arrival, deployment)
            self._take(deployment, record, raw, time)
        elif isinstance(record, ScoreReport | Feedback):
            time = self._timely(record, arrival, deployment)
            taken = self.requests.get(record.deployment)
            late = Late(deployment, record, time, position, raw, 0 if taken is None else len(taken.events))
            self.late.setdefault(record.deployment, []).append(late)

    def _timely(self, record: Event | ScoreReport | Feedback, arrival: int | None, deployment: Deployment) -> int:
        """The event time in milliseconds; refuses early and late, and moves the watermark with what came on time."""
        watch = deployment.watch
        time = milliseconds(record.time)
        if type(record) is Event and record.received_at is not None:
            arrival = milliseconds(record.received_at)
        stamp = time if arrival is None else arrival
        if stamp > self.run.clock + watch.lateness or time > stamp + watch.lateness:
            raise Reject("early")
        before = self.watermark
        if stamp > before:
            self.watermark = stamp
        if time < before - watch.lateness or watch.bucket(time) < deployment.sealed:
            raise Reject("late")
        if time > self.newest:
            self.newest = time
        return time

    def _take(self, deployment: Deployment, event: Event, raw: bytes, time: int) -> None:
        watch = deployment.watch
        if watch.rule.variants and event.variant not in watch.rule.variants:
            raise Reject("unknown_variant")
        identity = watch.identity("request", event.id)
        remembered = self.state.seen.until
        if remembered.get(identity, -1) >= self.watermark:
            self.batch.duplicates += 1
            return
        remembered[identity] = max(self.watermark, time) + watch.lateness
        self.fresh.append(identity)
        taken = self.requests.get(watch.name)
        if taken is None:
            taken = self.requests[watch.name] = Admitted(deployment)
        taken.events.append(event)
        taken.raws.append(raw)
        taken.times.append(time)
        taken.identities.append(identity)
