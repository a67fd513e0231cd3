"""A replay queue in memory, for tests: it passes the same contract suite as the stored one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from monitor.model import Arm
from shadow.errors import Retry
from shadow.ports import ArmResult, ReplayTask


@dataclass
class _Entry:
    task: ReplayTask
    until: float = float("-inf")
    holder: str | None = None
    quarantined: str | None = None


class MemoryReplayQueue:
    """`refusals` names methods that answer `Retry`, once per entry. `leases` records who leased what."""

    def __init__(self, clock: Callable[[], float], attempts: int = 3) -> None:
        self.clock = clock
        self.attempts = attempts
        self.results: dict[tuple[str, Arm], ArmResult] = {}
        self.refusals: list[str] = []
        self.leases: list[tuple[str, str]] = []
        self._entries: dict[str, _Entry] = {}

    def put(self, task: ReplayTask) -> None:
        self._entries.setdefault(task.pair_id, _Entry(task))

    @property
    def open(self) -> set[str]:
        return {entry.task.pair_id for entry in self._entries.values() if self._wanted(entry.task)}

    @property
    def quarantined(self) -> dict[str, str]:
        return {name: entry.quarantined for name, entry in self._entries.items() if entry.quarantined is not None}

    def lease(self, limit: int, worker: str, seconds: float) -> list[ReplayTask]:
        self._refuse("lease")
        now = self.clock()
        free = [e for e in self._entries.values() if self._wanted(e.task) and e.until <= now and not e.quarantined]
        for entry in free[:limit]:
            entry.until, entry.holder = now + seconds, worker
            self.leases.append((worker, entry.task.pair_id))
        return [replace(entry.task, arms=self._wanted(entry.task)) for entry in free[:limit]]

    def finish(self, results: Sequence[ArmResult]) -> None:
        self._refuse("finish")
        for result in results:
            if result.pair_id in self._entries:
                self.results.setdefault((result.pair_id, result.arm), result)

    def postpone(self, pair_ids: Sequence[str], seconds: float) -> None:
        self._refuse("postpone")
        for pair_id in pair_ids:
            if pair_id in self._entries:
                self._entries[pair_id].until = self.clock() + seconds

    def release(self, pair_ids: Sequence[str], reason: str) -> None:
        self._refuse("release")
        for pair_id in pair_ids:
            entry = self._entries.get(pair_id)
            if entry is None or not self._wanted(entry.task):
                continue
            entry.task = replace(entry.task, attempts=entry.task.attempts + 1)
            entry.until = float("-inf")
            if entry.task.attempts >= self.attempts:
                entry.quarantined = reason

    def _wanted(self, task: ReplayTask) -> tuple[Arm, ...]:
        return tuple(arm for arm in task.arms if (task.pair_id, arm) not in self.results)

    def _refuse(self, method: str) -> None:
        if method in self.refusals:
            self.refusals.remove(method)
            raise Retry(method)
