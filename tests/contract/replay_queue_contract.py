"""What every replay queue promises. Subclass `ReplayQueueContract` and give a fixture `world`."""

from __future__ import annotations

from dataclasses import replace
from typing import Protocol

from monitor.model import Arm, Missing, Output
from shadow.ports import ArmResult, ReplayQueue, ReplayTask


class World(Protocol):
    """A queue with its surroundings. `attempts` is how many releases lead to quarantine."""

    @property
    def queue(self) -> ReplayQueue: ...

    @property
    def attempts(self) -> int: ...

    def put(self, task: ReplayTask) -> None: ...

    def advance(self, seconds: float) -> None: ...

    def kept(self, pair_id: str, arm: Arm) -> ArmResult | None: ...

    def is_quarantined(self, pair_id: str) -> bool: ...


def task(pair_id: str, *arms: Arm) -> ReplayTask:
    return ReplayTask(pair_id, "shop", "int4", b"{}", arms or (Arm.DEPLOYED, Arm.REFERENCE))


def result(pair_id: str, arm: Arm, text: str = "yes") -> ArmResult:
    return ArmResult(pair_id, arm, {"schema": 1, "score": 65_535}, Output(text), None, None, 0.25)


def ids(tasks: list[ReplayTask]) -> list[str]:
    return [each.pair_id for each in tasks]


class ReplayQueueContract:
    def test_an_empty_queue_leases_nothing(self, world: World) -> None:
        assert world.queue.lease(8, "a", 60) == []

    def test_a_task_comes_out_as_it_went_in(self, world: World) -> None:
        put = task("p", Arm.DEPLOYED, Arm.REFERENCE, Arm.SECOND)
        world.put(put)
        (leased,) = world.queue.lease(8, "a", 60)
        assert replace(leased, arms=()) == replace(put, arms=())
        assert set(leased.arms) == set(put.arms)

    def test_leases_are_bounded_oldest_first_and_exclusive(self, world: World) -> None:
        for name in ("p", "q", "r"):
            world.put(task(name))
            world.advance(1)
        assert ids(world.queue.lease(2, "a", 60)) == ["p", "q"]
        assert ids(world.queue.lease(2, "b", 60)) == ["r"]
        assert world.queue.lease(2, "a", 60) == []

    def test_an_expired_lease_gives_the_task_to_whoever_asks_next(self, world: World) -> None:
        world.put(task("p"))
        world.queue.lease(1, "a", 60)
        world.advance(59)
        assert world.queue.lease(1, "b", 60) == []
        world.advance(2)
        (leased,) = world.queue.lease(1, "b", 60)
        assert leased.attempts == 0

    def test_a_finished_pair_is_never_leased_again(self, world: World) -> None:
        world.put(task("p"))
        world.queue.lease(1, "a", 60)
        world.queue.finish([result("p", Arm.DEPLOYED), result("p", Arm.REFERENCE)])
        world.advance(61)
        assert world.queue.lease(1, "a", 60) == []

    def test_a_half_finished_pair_wants_the_other_arm_only(self, world: World) -> None:
        world.put(task("p"))
        world.queue.lease(1, "a", 60)
        world.queue.finish([result("p", Arm.DEPLOYED)])
        world.advance(61)
        (leased,) = world.queue.lease(1, "a", 60)
        assert leased.arms == (Arm.REFERENCE,)

    def test_the_first_result_of_an_arm_wins_whoever_holds_the_lease(self, world: World) -> None:
        world.put(task("p"))
        world.queue.lease(1, "a", 60)
        world.advance(61)
        world.queue.lease(1, "b", 60)
        world.queue.finish([result("p", Arm.DEPLOYED, "first")])
        world.queue.finish([result("p", Arm.DEPLOYED, "late"), result("p", Arm.REFERENCE)])
        kept = world.kept("p", Arm.DEPLOYED)
        assert kept is not None
        assert kept.outcomes == {"schema": 1, "score": 65_535}
        assert kept.output == Output("first")
        assert world.kept("p", Arm.REFERENCE) is not None

    def test_finishing_twice_changes_nothing(self, world: World) -> None:
        world.put(task("p"))
        world.queue.lease(1, "a", 60)
        both = [result("p", Arm.DEPLOYED), result("p", Arm.REFERENCE)]
        world.queue.finish(both)
        world.queue.finish(both)
        assert world.queue.lease(1, "a", 60) == []

    def test_a_missing_arm_is_a_result_too(self, world: World) -> None:
        world.put(task("p", Arm.REFERENCE))
        world.queue.lease(1, "a", 60)
        world.queue.finish([ArmResult("p", Arm.REFERENCE, {}, None, Missing.NOT_REPLAYABLE, None, 0.0)])
        kept = world.kept("p", Arm.REFERENCE)
        assert kept is not None
        assert kept.missing is Missing.NOT_REPLAYABLE
        world.advance(61)
        assert world.queue.lease(1, "a", 60) == []

    def test_released_tasks_return_at_once_with_one_more_attempt(self, world: World) -> None:
        world.put(task("p"))
        world.queue.lease(1, "a", 60)
        world.queue.release(["p"], "backend failed: ValueError")
        (leased,) = world.queue.lease(1, "b", 60)
        assert leased.attempts == 1

    def test_postponed_tasks_return_after_their_time_without_an_attempt(self, world: World) -> None:
        world.put(task("p"))
        world.put(task("q"))
        world.queue.lease(8, "a", 60)
        world.queue.finish([result("p", Arm.DEPLOYED)])
        world.queue.postpone(["p", "never put"], 30)
        world.advance(29)
        assert world.queue.lease(8, "b", 60) == []
        world.advance(2)
        (leased,) = world.queue.lease(8, "b", 60)
        assert (leased.pair_id, leased.attempts, leased.arms) == ("p", 0, (Arm.REFERENCE,))

    def test_what_is_released_too_often_is_quarantined(self, world: World) -> None:
        world.put(task("p"))
        world.put(task("q"))
        for _ in range(world.attempts):
            assert "p" in ids(world.queue.lease(8, "a", 1))
            world.queue.release(["p"], "backend failed: ValueError")
            world.advance(2)
        assert ids(world.queue.lease(8, "a", 60)) == ["q"]
        assert world.is_quarantined("p")
        assert not world.is_quarantined("q")

    def test_unknown_and_finished_pairs_are_ignored(self, world: World) -> None:
        world.put(task("p", Arm.DEPLOYED))
        world.queue.finish([result("p", Arm.DEPLOYED), result("never put", Arm.DEPLOYED)])
        world.queue.release(["p", "never put"], "backend failed: ValueError")
        assert world.queue.lease(8, "a", 60) == []
        assert not world.is_quarantined("p")
