"""The test double keeps the contract of the real queue."""

from __future__ import annotations

import pytest

from monitor.model import Arm
from shadow.ports import ArmResult, ReplayTask
from tests.contract.replay_queue_contract import ReplayQueueContract, World
from tests.support.replay_queue import MemoryReplayQueue


class MemoryWorld:
    attempts = 3

    def __init__(self) -> None:
        self.now = 0.0
        self.queue = MemoryReplayQueue(lambda: self.now, self.attempts)

    def put(self, task: ReplayTask) -> None:
        self.queue.put(task)

    def advance(self, seconds: float) -> None:
        self.now += seconds

    def kept(self, pair_id: str, arm: Arm) -> ArmResult | None:
        return self.queue.results.get((pair_id, arm))

    def is_quarantined(self, pair_id: str) -> bool:
        return pair_id in self.queue.quarantined


class TestMemoryReplayQueue(ReplayQueueContract):
    @pytest.fixture
    def world(self) -> World:
        return MemoryWorld()
