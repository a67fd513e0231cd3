"""Loops go on through what may pass, end with a reason at what does not, and say when one of them is stuck."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest
import sqlalchemy as sa

from services import loops as module
from services.errors import GapError, Unavailable, UsageError
from services.gap import Gap, Reason
from services.loops import Loops


def engine() -> sa.Engine:
    return sa.create_engine("sqlite://", poolclass=sa.StaticPool, connect_args={"check_same_thread": False})


def down() -> None:
    raise sa.exc.OperationalError("SELECT", None, Exception("the server closed the connection"))


def run(*works: Callable[[], object], stop_after: float | None = None) -> Loops:
    stop = threading.Event()
    made = Loops(stop, engine())
    for n, work in enumerate(works):
        made.every(0.001, f"work {n}", work)
    if stop_after is not None:
        threading.Timer(stop_after, stop.set).start()
    made.run()
    return made


@pytest.mark.parametrize("fault", [down, Unavailable("not now")], ids=["database", "peer"])
def test_what_may_pass_is_tried_again_and_said_once(fault: object, caplog: pytest.LogCaptureFixture) -> None:
    tries = []

    def work() -> None:
        tries.append(None)
        if isinstance(fault, Exception):
            raise fault
        down()

    assert run(work, stop_after=0.3).problem is None
    assert len(tries) > 3
    assert [record.message.endswith("trying again") for record in caplog.records] == [True]


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (GapError("the log is gone", Gap("log", 0, None, Reason.CUT)), "the log is gone"),
        (UsageError("no such build"), "no such build"),
        (ValueError("of a user"), "ValueError in work 0"),
    ],
)
def test_what_does_not_pass_ends_all_loops_with_its_reason(fault: Exception, said: str) -> None:
    def work() -> None:
        raise fault

    assert run(work, lambda: None).problem == said


def test_a_loop_that_hangs_is_stuck_and_one_that_fails_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "STUCK", 0.2)
    stop, free = threading.Event(), threading.Event()
    made = Loops(stop, engine())
    made.every(0.01, "hanging", lambda: free.wait(10))
    made.every(0.01, "failing", down)
    runner = threading.Thread(target=made.run)
    runner.start()
    assert made.stuck() is None
    time.sleep(0.5)
    assert str(made.stuck()).startswith("hanging has not got on for")
    free.set()
    stop.set()
    runner.join(10)


def test_a_long_pause_is_not_stuck(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "STUCK", 0.2)
    stop = threading.Event()
    made = Loops(stop, engine())
    made.every(60, "hourly", lambda: None)
    runner = threading.Thread(target=made.run)
    runner.start()
    time.sleep(0.5)
    assert made.stuck() is None
    stop.set()
    runner.join(10)


def test_a_long_round_that_gets_on_is_not_stuck(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "STUCK", 0.3)
    stop, store = threading.Event(), engine()
    made = Loops(stop, store)

    def read_on() -> None:
        while not stop.wait(0.05):
            with store.connect() as connection:
                connection.execute(sa.select(1))

    made.every(0.01, "reading", read_on)
    runner = threading.Thread(target=made.run)
    runner.start()
    time.sleep(0.8)
    assert made.stuck() is None
    stop.set()
    runner.join(10)
    store.dispose()
