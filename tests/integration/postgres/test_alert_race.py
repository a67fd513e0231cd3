"""Two evaluators that are about to open the same alert: it is opened once, and told once."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from services.store import tables as t
from tests.kill.log import log_of, plan_in, write_plan
from tests.kill.receiver import SECRET, Receiver
from tests.support.processes import end, go_on, line, start, until
from tests.support.stores import ListSource, kept_in, rows_of, store, take, url_of

pytestmark = pytest.mark.postgres


@pytest.fixture
def receiver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    monkeypatch.setenv("KILL_SECRET", SECRET)
    found = Receiver(0.1)
    yield found
    found.close()


@pytest.fixture
def engine(tmp_path: Path, receiver: Receiver) -> Iterator[Engine]:
    """Facts that nobody has looked at, of a build that fails."""
    write_plan(tmp_path, receiver.url)
    with kept_in("postgresql"):
        made = store(tmp_path)
        take(made, plan_in(tmp_path), ListSource([message.value for part in log_of(1) for message in part]))
        yield made


def evaluations(engine: Engine) -> tuple[int, str]:
    with engine.connect() as connection:
        wanted = sa.select(t.evaluation.c.turn, t.evaluation.c.worker).where(t.evaluation.c.deployment == "desk")
        row = connection.execute(wanted).one_or_none()
    return (0, "") if row is None else (row.turn, row.worker)


def test_an_evaluator_stopped_while_it_opens_an_alert_and_woken_opens_and_tells_it_no_second_time(
    tmp_path: Path, engine: Engine, receiver: Receiver
) -> None:
    words = ("--plan", tmp_path / "plan.yaml", "--db", url_of(engine), "--every", "0.2")
    first = start(*words, module="tests.support.thinking")
    others = []
    try:
        assert line(first) == "thinking"
        others.append(start("assess", *words))
        first.send_signal(signal.SIGSTOP)
        others.append(start("dispatch", *words))
        until(lambda: receiver.told and all(row.state == "delivered" for row in rows_of(engine, t.outbox)), 30)
        assert evaluations(engine)[1].endswith(f":{others[0].pid}"), "the standby wrote it"
        opened = rows_of(engine, t.alert)

        first.send_signal(signal.SIGCONT)
        go_on(first)
        others[0].kill()
        until(lambda: evaluations(engine)[1].endswith(f":{first.pid}"), 30)
        before = evaluations(engine)[0]
        until(lambda: evaluations(engine)[0] > before + 2, 30)
        first.send_signal(signal.SIGTERM)
        _, said = first.communicate(timeout=30)
    finally:
        end([first, *others])

    assert "the evaluation was broken off" in said, "what it had begun was refused"
    assert rows_of(engine, t.alert) == opened
    assert len({(row.alert, row.transition) for row in rows_of(engine, t.outbox)}) == len(rows_of(engine, t.outbox))
    assert {key: len(bodies) for key, bodies in receiver.told.items()} == {
        f"{row.alert}_{row.transition}": 1 for row in rows_of(engine, t.outbox)
    }
    assert first.returncode == 0


def test_evaluators_at_once_open_and_tell_an_alert_once(tmp_path: Path, engine: Engine, receiver: Receiver) -> None:
    words = ("--plan", tmp_path / "plan.yaml", "--db", url_of(engine), "--every", "0.2")
    crowd = [start("assess", *words) for _ in range(3)] + [start("dispatch", *words) for _ in range(2)]
    try:
        until(lambda: receiver.told and all(row.state == "delivered" for row in rows_of(engine, t.outbox)), 60)
        before = evaluations(engine)[0]
        until(lambda: evaluations(engine)[0] > before + 5, 60)
    finally:
        end(crowd)

    assert [len(bodies) for bodies in receiver.told.values()] == [1] * len(receiver.told)
    assert set(receiver.told) == {f"{row.alert}_{row.transition}" for row in rows_of(engine, t.outbox)}
