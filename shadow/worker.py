"""Takes sampled units from the queue, asks the builds again, judges and hands back. Imports no torch."""

from __future__ import annotations

import logging
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from threading import Event as Stop

from monitor.model import Arm, Event, Missing
from monitor.signals.fidelity import same_answer
from shadow.backends.backend import Backend, RemoteBackend
from shadow.errors import NotReplayable, Retry
from shadow.fidelity import compare
from shadow.ports import ArmResult, Judge, ReplayQueue, ReplayTask
from shadow.replay import Answer, Clock, Job, answers, request_of, second_answers

REFERENCE = "reference"
REMOTE_SHARE = 0.75
"""The share of a lease that servers get: the rest is for judging and keeping what they said."""
_log = logging.getLogger(__name__)
_Arms = dict[tuple[str, Arm], Answer]
_Wanted = list[tuple[str, Arm]]


@dataclass(slots=True)
class _Done:
    """What becomes of one batch: results to keep, pairs to give back by reason, and pairs that wait, by seconds."""

    results: list[ArmResult] = field(default_factory=list)
    released: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    waiting: dict[float, list[str]] = field(default_factory=lambda: defaultdict(list))


class ShadowWorker:
    """Replays leased tasks. Killed at any point it loses nothing: its lease expires, and finishing is idempotent.

    `arms` maps (deployment, variant) to the build that stands for the served one, and (deployment, "reference")
    to the full-precision build; one backend may appear under several keys and then runs larger batches.
    `max_tokens` bounds answers per deployment (256 where absent). A batch must be done within `lease` seconds:
    keep `limit` small enough; servers are told when they have to be done. Servers are asked beside each other and
    beside the builds in this process, and an arm that fails or waits holds up no other. `judge` must give the same
    outcomes on every call.
    """

    def __init__(
        self,
        queue: ReplayQueue,
        arms: Mapping[tuple[str, str], Backend],
        judge: Judge,
        decode: Callable[[bytes], Event],
        clock: Clock = time.monotonic,
        *,
        name: str = "shadow",
        limit: int = 32,
        lease: float = 120.0,
        pause: float = 0.5,
        max_tokens: Mapping[str, int] | None = None,
    ) -> None:
        self.queue = queue
        self.arms = dict(arms)
        self.judge = judge
        self.decode = decode
        self.clock = clock
        self.name = name
        self.limit = limit
        self.lease = lease
        self.pause = pause
        self.max_tokens = dict(max_tokens or {})

    def run(self, stop: Stop, after: Callable[[bool], None] = lambda idle: None) -> None:
        """Works until `stop` is set, pausing while nothing is open or the queue does not answer.

        `after` is told after every batch whether there was nothing to do; it may set `stop`.
        """
        while not stop.is_set():
            try:
                idle = self.run_once() == 0
            except Retry:
                _log.warning("the replay queue did not answer; trying again")
                idle = True
            after(idle)
            if idle:
                stop.wait(self.pause)

    def run_once(self) -> int:
        """Leases one batch and finishes or releases each of its tasks; returns how many were leased.

        Raises `Retry` if the queue does not answer; what is not finished comes back when its lease expires.
        """
        tasks = self.queue.lease(self.limit, self.name, self.lease)
        done = _Done()
        jobs = {task.pair_id: job for task in tasks if (job := self._job(task, done)) is not None}
        open_tasks = [task for task in tasks if task.pair_id in jobs]
        found = self._ask(open_tasks, jobs)
        for task in open_tasks:
            self._close(task, jobs[task.pair_id], found, done)
        if done.results:
            self.queue.finish(done.results)
        for reason, pair_ids in done.released.items():
            _log.warning("released %d replays: %s", len(pair_ids), reason)
            self.queue.release(pair_ids, reason)
        for seconds, pair_ids in done.waiting.items():
            _log.info("%d replays wait for %.0f s", len(pair_ids), seconds)
            self.queue.postpone(pair_ids, seconds)
        return len(tasks)

    def _job(self, task: ReplayTask, done: _Done) -> Job | None:
        """The task parsed, or None with its end noted in `done`."""
        try:
            event = self.decode(task.event)
            request = request_of(event, self.max_tokens.get(task.deployment, 256))
        except NotReplayable:
            done.results += [_absent(task.pair_id, arm, Missing.NOT_REPLAYABLE) for arm in task.arms]
        except Exception as error:  # the message may hold text of the event
            done.released[f"undecodable: {type(error).__name__}"].append(task.pair_id)
        else:
            return Job(task.pair_id, event, request)
        return None

    def _ask(self, tasks: Sequence[ReplayTask], jobs: Mapping[str, Job]) -> _Arms:
        """Every arm of every task, one pass per backend and kind of arm; servers in threads of their own."""
        passes: dict[int, dict[bool, _Wanted]] = defaultdict(lambda: defaultdict(list))
        backends: dict[int, Backend] = {}
        for task in tasks:
            for arm in task.arms:
                backend = self._backend(task, arm)
                if backend is not None:
                    backends[id(backend)] = backend
                    passes[id(backend)][arm is Arm.SECOND].append((task.pair_id, arm))
        remote = {key for key, backend in backends.items() if isinstance(backend, RemoteBackend)}
        found: _Arms = {}
        with ThreadPoolExecutor(max(1, len(remote))) as threads:
            asked = [threads.submit(self._passes, backends[key], passes[key], jobs) for key in remote]
            for key in passes.keys() - remote:
                found |= self._passes(backends[key], passes[key], jobs)
            for each in asked:
                found |= each.result()
        return found

    def _passes(self, backend: Backend, passes: Mapping[bool, _Wanted], jobs: Mapping[str, Job]) -> _Arms:
        """What one backend answers: first its own arms, then what is asked of it a second time."""
        if isinstance(backend, RemoteBackend):
            backend.begin(self.lease * REMOTE_SHARE)
        found: _Arms = {}
        for second, wanted in sorted(passes.items()):
            replay = second_answers if second else answers
            given = replay(backend, [jobs[pair_id] for pair_id, _ in wanted], self.clock)
            found |= dict(zip(wanted, given, strict=True))
        return found

    def _backend(self, task: ReplayTask, arm: Arm) -> Backend | None:
        return self.arms.get((task.deployment, task.variant if arm is Arm.DEPLOYED else REFERENCE))

    def _close(self, task: ReplayTask, job: Job, found: _Arms, done: _Done) -> None:
        """Notes the results of the arms that have one; for the others the task is given back, or waits."""
        given = {arm: found.get((task.pair_id, arm)) for arm in task.arms}
        reference = given.get(Arm.REFERENCE)
        failures, waits = list[str](), list[float]()
        for arm, answer in given.items():
            if answer is not None and answer.failure is not None:
                failures.append(answer.failure)
            elif answer is not None and answer.later is not None:
                waits.append(answer.later)
            else:
                try:
                    done.results.append(self._result(job, arm, answer, reference))
                except Exception as error:  # the message may hold text of the output
                    failures.append(f"judge failed: {type(error).__name__}")
        if failures:
            done.released[failures[0]].append(task.pair_id)
        elif waits:
            done.waiting[min(waits)].append(task.pair_id)

    def _result(self, job: Job, arm: Arm, answer: Answer | None, reference: Answer | None) -> ArmResult:
        if answer is None:
            return _absent(job.pair_id, arm, Missing.NOT_OBSERVED)
        if answer.output is None:
            return _absent(job.pair_id, arm, Missing.NOT_REPLAYABLE, answer.seconds)
        if job.request.capped and answer.output.finish_reason == "length":
            return _absent(job.pair_id, arm, Missing.NOT_OBSERVED, answer.seconds)
        fidelity = None
        if arm is not Arm.REFERENCE and reference is not None and reference.output is not None:
            flipped = not same_answer(reference.output, answer.output)
            fidelity = compare(reference.scores, answer.scores, flipped)
        outcomes = self.judge(job.event, answer.output)
        return ArmResult(job.pair_id, arm, outcomes, answer.output, None, fidelity, answer.seconds)


def _absent(pair_id: str, arm: Arm, reason: Missing, seconds: float = 0.0) -> ArmResult:
    return ArmResult(pair_id, arm, {}, None, reason, None, seconds)
