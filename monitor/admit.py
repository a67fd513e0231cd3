"""The first half of a step: from raw records to admitted ones. What is not admitted is counted or quarantined."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import repeat
from typing import Final

from monitor.errors import Reject
from monitor.model import Event, Feedback, Record, ScoreReport
from monitor.run import Batch, QuarantineRow, Run
from monitor.state import Deployment, State
from monitor.wire import decode_all, milliseconds

PART: Final = 128
"""Records that are decoded and looked at together."""


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


class Admission:
    """Admits the records of one run, one after the other; batch boundaries do not matter to what is admitted."""

    def __init__(self, state: State, run: Run, batch: Batch) -> None:
        self.state = state
        self.run = run
        self.batch = batch
        self.watermark = state.watermarks.get(run.source, 0)
        self.fresh: list[int] = []
        self.newest = 0

    def parts(self) -> Iterator[Part]:
        """Goes through the run, part by part; afterwards the `fresh` ids and the watermark are complete.

        A part is as many events as fit into a processor's cache: all that looks at them then finds them there.
        """
        for start in range(0, len(self.run.records), PART):
            yield self._part(slice(start, start + PART))

    def _part(self, here: slice) -> Part:
        part, run = Part(), self.run
        raws, arrivals = run.records[here], run.arrivals[here] if run.arrivals else repeat(None)
        for record, raw, position, arrival in zip(decode_all(raws), raws, run.positions[here], arrivals, strict=False):
            try:
                if type(record) is Event:
                    self._take(record, raw, arrival, part.requests)
                else:
                    self._take_late(record, raw, position, arrival, part)
            except Reject as reject:
                self.batch.quarantine.append(QuarantineRow(position, reject.reason, reject.detail, raw))
        return part

    def _take(self, event: Event, raw: bytes, arrival: int | None, requests: dict[str, Admitted]) -> None:
        deployment = self._deployment(event.deployment)
        watch = deployment.watch
        time = milliseconds(event.time)
        received = event.received_at
        self._keep_time(time, arrival if received is None else milliseconds(received), deployment)
        variants = watch.rule.variants
        if variants and event.variant not in variants:
            raise Reject("unknown_variant")
        identity = watch.identity("request", event.id)
        remembered, watermark = self.state.seen.until, self.watermark
        if remembered.get(identity, -1) >= watermark:
            self.batch.duplicates += 1
            return
        remembered[identity] = (time if time > watermark else watermark) + watch.lateness
        self.fresh.append(identity)
        taken = requests.get(event.deployment)
        if taken is None:
            taken = requests[event.deployment] = Admitted(deployment)
        taken.events.append(event)
        taken.raws.append(raw)
        taken.times.append(time)
        taken.identities.append(identity)

    def _take_late(self, record: Record | Reject, raw: bytes, position: int, arrival: int | None, part: Part) -> None:
        if not isinstance(record, ScoreReport | Feedback):
            raise record if isinstance(record, Reject) else Reject("unknown_kind")
        deployment = self._deployment(record.deployment)
        time = milliseconds(record.time)
        self._keep_time(time, arrival, deployment)
        taken = part.requests.get(record.deployment)
        late = Late(deployment, record, time, position, raw, 0 if taken is None else len(taken.events))
        part.late.setdefault(record.deployment, []).append(late)

    def _deployment(self, name: str) -> Deployment:
        deployment = self.state.deployment(name)
        if deployment is None:
            raise Reject("unknown_deployment")
        return deployment

    def _keep_time(self, time: int, arrival: int | None, deployment: Deployment) -> None:
        """Refuses what is early or late, and moves the watermark with what came on time."""
        watch, lateness = deployment.watch, deployment.watch.lateness
        stamp = time if arrival is None else arrival
        if stamp > self.run.clock + lateness or time > stamp + lateness:
            raise Reject("early")
        before = self.watermark
        if stamp > before:
            self.watermark = stamp
        if time < before - lateness or time // watch.width < deployment.sealed:
            raise Reject("late")
        if time > self.newest:
            self.newest = time
