"""The worker: what it finishes, what it gives back, and that being killed loses nothing."""

from __future__ import annotations

import logging
import subprocess
import sys
import threading
from collections.abc import Sequence

import msgspec
import pytest

from monitor.model import Arm, Event, Message, Missing, Output, Sampling
from shadow.backends import Backend, RecordedBackend, Request, TokenScores
from shadow.errors import Retry
from shadow.ports import ReplayTask
from shadow.worker import ShadowWorker
from tests.support.replay_queue import MemoryReplayQueue

SECRET = "zanzibar-planted-secret"
BOTH = (Arm.DEPLOYED, Arm.REFERENCE)
ALL = (*BOTH, Arm.SECOND)


class Killed(BaseException):
    """Stands for the end of the process."""


class Trouble(RecordedBackend):
    """Fails on some request ids; `kill` ends the process at a call. Remembers its batches."""

    def __init__(self, name: str, outputs: dict[str, Output], poison: Sequence[str] = ()) -> None:
        super().__init__(name, outputs)
        self.poison = set(poison)
        self.kill = False
        self.batches: list[list[str]] = []

    def generate(self, requests: Sequence[Request], scores: Sequence[TokenScores | None] | None = None) -> list[Output]:
        if self.kill:
            raise Killed
        self.batches.append([request.id for request in requests])
        if any(request.id in self.poison for request in requests):
            raise ValueError(f"cannot stand {requests[0].messages[0].content}")
        return super().generate(requests)


def judge(event: Event, output: Output) -> dict[str, int]:
    return {"length": len(output.text or "")}


def decode(data: bytes) -> Event:
    return msgspec.json.decode(data, type=Event)


def event(name: str, **changes: object) -> bytes:
    base = Event(
        name, "shop", "int4", 0.0, messages=(Message("user", SECRET),), sampling=Sampling(max_tokens=64),
        output=Output("logged"),
    )  # fmt: skip
    return msgspec.json.encode(msgspec.structs.replace(base, **changes))


class Setup:
    def __init__(self, names: Sequence[str] = ("a", "b", "c"), arms: tuple[Arm, ...] = BOTH) -> None:
        self.now = 0.0
        self.queue = MemoryReplayQueue(lambda: self.now)
        self.deployed = Trouble("int4", {name: Output(f"{name} int4") for name in names})
        self.reference = Trouble("fp32", {name: Output(f"{name} full") for name in names})
        for name in names:
            self.queue.put(ReplayTask(name, "shop", "int4", event(name), arms))

    def worker(self, name: str = "w", limit: int = 32) -> ShadowWorker:
        arms: dict[tuple[str, str], Backend] = {("shop", "int4"): self.deployed, ("shop", "reference"): self.reference}
        return ShadowWorker(self.queue, arms, judge, decode, lambda: self.now, name=name, lease=60, limit=limit)


def test_every_wanted_arm_is_asked_judged_and_compared() -> None:
    setup = Setup(arms=ALL)
    assert setup.worker().run_once() == 3
    assert setup.queue.open == set()
    deployed = setup.queue.results["a", Arm.DEPLOYED]
    reference = setup.queue.results["a", Arm.REFERENCE]
    second = setup.queue.results["a", Arm.SECOND]
    assert deployed.output == Output("a int4")
    assert deployed.outcomes == {"length": 6}
    assert deployed.fidelity is not None
    assert deployed.fidelity.flipped is True
    assert (reference.output, reference.fidelity) == (Output("a full"), None)
    assert second.fidelity is not None
    assert second.fidelity.flipped is False
    assert setup.worker().run_once() == 0


def test_the_second_replay_sits_in_another_batch() -> None:
    setup = Setup(arms=ALL)
    setup.worker().run_once()
    assert setup.reference.batches == [["a", "b", "c"], ["c", "b", "a", "a"]]


def test_a_variant_without_an_arm_has_no_deployed_replay() -> None:
    setup = Setup(["a"])
    setup.queue.put(ReplayTask("p", "shop", "int8", event("a", variant="int8"), BOTH))
    setup.worker().run_once()
    assert setup.queue.results["p", Arm.DEPLOYED].missing is Missing.NOT_OBSERVED
    assert setup.queue.results["p", Arm.REFERENCE].output == Output("a full")


def test_what_cannot_be_asked_again_is_missing_in_every_arm() -> None:
    setup = Setup([])
    setup.queue.put(ReplayTask("p", "shop", "int4", event("p", messages=None), BOTH))
    setup.worker().run_once()
    assert {setup.queue.results["p", arm].missing for arm in BOTH} == {Missing.NOT_REPLAYABLE}


def test_a_build_may_refuse_where_the_other_answers() -> None:
    setup = Setup(["a", "b"])
    del setup.deployed.outputs["b"]
    setup.worker().run_once()
    assert setup.queue.results["b", Arm.DEPLOYED].missing is Missing.NOT_REPLAYABLE
    assert setup.queue.results["b", Arm.REFERENCE].output == Output("b full")
    assert setup.deployed.batches == [["a"]]


@pytest.mark.parametrize(("asked", "missing"), [(None, Missing.NOT_OBSERVED), (64, None)])
def test_an_answer_cut_by_the_replays_own_limit_is_unknown(asked: int | None, missing: Missing | None) -> None:
    setup = Setup([])
    setup.reference.outputs["a"] = setup.deployed.outputs["a"] = Output("a a a", finish_reason="length")
    setup.queue.put(ReplayTask("a", "shop", "int4", event("a", sampling=Sampling(max_tokens=asked)), BOTH))
    setup.worker().run_once()
    assert setup.queue.results["a", Arm.REFERENCE].missing is missing


def test_poison_is_given_back_alone_and_its_text_is_told_nobody(caplog: pytest.LogCaptureFixture) -> None:
    setup = Setup()
    setup.deployed.poison = {"b"}
    caplog.set_level(logging.DEBUG)
    for _ in range(3):
        setup.worker().run_once()
    assert {name for name, arm in setup.queue.results if arm is Arm.DEPLOYED} == {"a", "c"}
    assert setup.queue.quarantined == {"b": "backend failed: ValueError"}
    assert setup.worker().run_once() == 0
    assert "ValueError" in caplog.text
    assert SECRET not in caplog.text


def test_an_arm_that_fails_keeps_the_other_s_answer_and_is_asked_alone_again() -> None:
    setup = Setup(["a"])
    setup.deployed.poison = {"a"}
    setup.worker().run_once()
    assert set(setup.queue.results) == {("a", Arm.REFERENCE)}
    setup.deployed.poison = set()
    setup.worker().run_once()
    assert setup.reference.batches == [["a"]]
    assert setup.queue.results["a", Arm.DEPLOYED].output == Output("a int4")
    assert setup.queue.results["a", Arm.DEPLOYED].fidelity is None, "the reference's probabilities are gone"


def test_a_judge_that_fails_and_bytes_that_are_no_event_are_given_back(caplog: pytest.LogCaptureFixture) -> None:
    setup = Setup()

    def broken(event: Event, output: Output) -> dict[str, int]:
        if event.id == "b":
            raise KeyError(SECRET)
        return {}

    setup.queue.put(ReplayTask("bytes", "shop", "int4", f'{{"{SECRET}'.encode(), BOTH))
    worker = setup.worker()
    worker.judge = broken
    for _ in range(3):
        worker.run_once()
    assert setup.queue.quarantined == {"b": "judge failed: KeyError", "bytes": "undecodable: DecodeError"}
    assert SECRET not in caplog.text


def test_killed_while_replaying_another_worker_takes_over_after_the_lease() -> None:
    setup = Setup()
    setup.reference.kill = True
    with pytest.raises(Killed):
        setup.worker("first").run_once()
    setup.reference.kill = False
    assert setup.worker("second").run_once() == 0
    setup.now += 61
    assert setup.worker("second").run_once() == 3
    assert setup.queue.open == set()
    assert len(setup.queue.results) == 6


def test_killed_between_keeping_and_answering_nothing_is_kept_twice() -> None:
    setup = Setup()

    class Dying(MemoryReplayQueue):
        def finish(self, results: Sequence[object]) -> None:
            setup.queue.finish(results)  # type: ignore[arg-type]
            raise Killed

    worker = setup.worker("first")
    dying = Dying(lambda: setup.now)
    dying._entries = setup.queue._entries
    worker.queue = dying
    with pytest.raises(Killed):
        worker.run_once()
    kept = dict(setup.queue.results)
    setup.now += 61
    assert setup.worker("second").run_once() == 0
    assert setup.queue.results == kept


def test_a_slow_worker_and_its_successor_agree_on_the_first_result() -> None:
    setup = Setup(["a"])
    slow, fast = setup.worker("slow"), setup.worker("fast")
    (task,) = setup.queue.lease(1, "slow", 60)
    setup.now += 61
    fast.run_once()
    kept = dict(setup.queue.results)
    setup.deployed.outputs["a"] = Output("changed")
    replayed = MemoryReplayQueue(lambda: 0.0)
    replayed.put(task)
    slow.queue = replayed
    slow.run_once()
    setup.queue.finish(list(replayed.results.values()))
    assert setup.queue.results == kept


@pytest.mark.parametrize("method", ["lease", "finish", "release"])
def test_a_queue_that_does_not_answer_is_asked_again(method: str) -> None:
    setup = Setup()
    setup.deployed.poison = {"b"}
    setup.queue.refusals = [method]
    worker = setup.worker()
    with pytest.raises(Retry):
        worker.run_once()
    for _ in range(4):
        setup.now += 61
        worker.run_once()
    assert {name for name, arm in setup.queue.results if arm is Arm.DEPLOYED} == {"a", "c"}
    assert set(setup.queue.quarantined) == {"b"}


def test_runs_until_it_is_stopped() -> None:
    setup = Setup([str(number) for number in range(10)])
    setup.queue.refusals = ["lease"]
    stop = threading.Event()
    worker = setup.worker(limit=2)
    worker.pause = 0.01
    thread = threading.Thread(target=worker.run, args=(stop,))
    thread.start()
    for _ in range(500):
        if not setup.queue.open:
            break
        threading.Event().wait(0.01)
    stop.set()
    thread.join(5)
    assert not thread.is_alive()
    assert setup.queue.open == set()


def test_the_worker_starts_without_torch() -> None:
    code = "import sys, shadow.worker, shadow.backends; print(any('torch' in name for name in sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
