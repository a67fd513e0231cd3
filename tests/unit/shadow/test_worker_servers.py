"""The worker with arms behind servers: asked beside each other, and none of them holds up another."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping

import msgspec
import pytest

from monitor.model import Arm, Event, Message, Missing, Output
from monitor.plan import ArmRule
from shadow.backends import Backend, RecordedBackend
from shadow.backends.openai import OpenAIBackend
from shadow.ports import ReplayTask
from shadow.worker import ShadowWorker
from tests.support.engine import Engine, Json
from tests.support.faults import Hang, Status
from tests.support.replay_queue import MemoryReplayQueue

BOTH = (Arm.DEPLOYED, Arm.REFERENCE)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shadow.backends.http.FIRST_PAUSE", 0.01)


class Hand:
    """A clock moved by hand."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def say(body: Json) -> str:
    return f"{body['model']}: {body['messages'][-1]['content']}"


def server(engine: Engine, clock: Hand, timeout: str = "300ms") -> OpenAIBackend:
    rule = ArmRule(backend="openai", url=engine.url, model=engine.model, timeout=timeout, concurrency=8)
    build = OpenAIBackend(rule, clock=clock)
    build.connect()
    return build


class Shop:
    """Deployments with tasks that wait for replays on some builds."""

    def __init__(self, builds: Mapping[tuple[str, str], Backend], clock: Hand) -> None:
        self.queue = MemoryReplayQueue(clock)
        self.worker = ShadowWorker(
            self.queue,
            builds,
            lambda _, output: {"length": len(output.text or "")},
            lambda data: msgspec.json.decode(data, type=Event),
            time.monotonic,
            lease=4.0,
            limit=4,
        )

    def put(self, deployment: str, *names: str, arms: tuple[Arm, ...] = BOTH) -> None:
        for name in names:
            event = Event(name, deployment, "int4", 0.0, messages=(Message("user", name),), output=Output("logged"))
            self.queue.put(ReplayTask(name, deployment, "int4", msgspec.json.encode(event), arms))

    def run(self, times: int) -> None:
        for _ in range(times):
            self.worker.run_once()

    def answered(self, arm: Arm) -> set[str]:
        return {name for (name, found), result in self.queue.results.items() if found is arm and result.output}


def test_both_arms_answer_over_http_and_are_compared() -> None:
    clock = Hand()
    with Engine(say, model="int4") as deployed, Engine(say, model="full") as reference:
        builds = {("shop", "int4"): server(deployed, clock), ("shop", "reference"): server(reference, clock)}
        shop = Shop(builds, clock)
        shop.put("shop", "a", "b", arms=(*BOTH, Arm.SECOND))
        shop.run(1)
        assert shop.queue.open == set()
        found = shop.queue.results["a", Arm.DEPLOYED]
        assert (found.output and found.output.text, found.outcomes) == ("int4: a", {"length": 7})
        assert found.fidelity is not None
        assert found.fidelity.flipped is True
        second = shop.queue.results["a", Arm.SECOND].fidelity
        assert second is not None
        assert second.flipped is False
        assert len(reference.requests) == 1 + 2 * 2, "one to open it; nothing is asked that nobody wants"


def test_servers_are_asked_beside_each_other() -> None:
    clock = Hand()
    with Engine(say, model="int4", delay=0.3) as deployed, Engine(say, model="full", delay=0.3) as reference:
        builds = {
            ("shop", "int4"): server(deployed, clock, "2s"),
            ("shop", "reference"): server(reference, clock, "2s"),
        }
        shop = Shop(builds, clock)
        shop.worker.lease = 60.0
        shop.put("shop", "a", "b")
        started = time.monotonic()
        shop.run(1)
        assert time.monotonic() - started < 0.55
        assert shop.queue.open == set()


def test_a_dead_arm_holds_up_neither_the_other_arm_nor_another_deployment() -> None:
    clock = Hand()
    with Engine(say, model="int4") as dead, Engine(say, model="full") as alive:
        builds = {
            ("shop", "int4"): server(dead, clock),
            ("shop", "reference"): server(alive, clock),
            ("bot", "int4"): RecordedBackend("int4", {name: Output(name) for name in ("w", "x", "y", "z")}),
            ("bot", "reference"): server(alive, clock),
        }
        dead.faults = lambda _: Hang(30)
        shop = Shop(builds, clock)
        shop.put("shop", *"abcdefgh")
        shop.put("bot", *"wxyz")
        started = time.monotonic()
        shop.run(4)
        assert time.monotonic() - started < 5.0, "one batch hangs, within its lease; the next do not ask"
        assert shop.answered(Arm.REFERENCE) == set("abcdefghwxyz")
        assert shop.answered(Arm.DEPLOYED) == set("wxyz")
        assert shop.queue.quarantined == {}
        assert shop.queue.open == set("abcdefgh")
        dead.faults = []
        clock.now += 6
        shop.run(4)
        assert shop.answered(Arm.DEPLOYED) == set("abcdefghwxyz")
        assert len(alive.requests) == 2 + 12, "what was answered is not asked again"


def test_what_fails_too_often_is_quarantined_by_its_reason_and_the_rest_is_not() -> None:
    clock = Hand()
    with Engine(say, model="int4") as deployed, Engine(say, model="full") as reference:
        builds = {("shop", "int4"): server(deployed, clock), ("shop", "reference"): server(reference, clock)}
        deployed.faults = lambda body: Status(500) if body["messages"][-1]["content"] == "b" else None
        shop = Shop(builds, clock)
        shop.put("shop", *"abcd")
        for _ in range(6):
            shop.run(1)
            clock.now += 200
        assert shop.queue.quarantined == {"b": "engine_status_500"}
        assert shop.answered(Arm.DEPLOYED) == set("acd")
        assert shop.answered(Arm.REFERENCE) == set("abcd")


def test_a_server_that_is_down_costs_no_attempts_beyond_those_that_found_out() -> None:
    clock = Hand()
    with Engine(say, model="int4") as deployed, Engine(say, model="full") as reference:
        builds = {("shop", "int4"): server(deployed, clock), ("shop", "reference"): server(reference, clock)}
        deployed.stop()
        shop = Shop(builds, clock)
        shop.put("shop", *"abcdefgh")
        shop.run(30)
        assert shop.queue.quarantined == {}
        deployed.start()
        clock.now += 161
        shop.run(3)
        assert shop.answered(Arm.DEPLOYED) == set("abcdefgh")


def test_what_a_server_refuses_is_missing_and_leaves_the_queue() -> None:
    clock = Hand()
    with Engine(say, model="int4") as deployed, Engine(say, model="full") as reference:
        builds = {("shop", "int4"): server(deployed, clock), ("shop", "reference"): server(reference, clock)}
        deployed.faults = lambda _: Status(400)
        shop = Shop(builds, clock)
        shop.put("shop", "a")
        shop.run(1)
        assert shop.queue.results["a", Arm.DEPLOYED].missing is Missing.NOT_REPLAYABLE
        assert shop.answered(Arm.REFERENCE) == {"a"}
        assert shop.queue.open == set()


def test_it_stops_between_batches_while_a_server_is_down() -> None:
    clock = Hand()
    with Engine(say, model="int4") as deployed:
        shop = Shop({("shop", "int4"): server(deployed, clock)}, clock)
        deployed.stop()
        shop.put("shop", "a", arms=(Arm.DEPLOYED,))
        stop = threading.Event()
        thread = threading.Thread(target=shop.worker.run, args=(stop,))
        thread.start()
        time.sleep(0.3)
        stop.set()
        thread.join(5)
        assert not thread.is_alive()
