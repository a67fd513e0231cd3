"""Evaluators take turns: a standby takes over within seconds, and a paused leader that wakes cannot write."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from monitor.response.alerts import Word
from services.errors import Unavailable
from services.evaluate import Evaluator
from services.store import alert_rows, alerts
from services.store import tables as t
from services.store.commit import writing
from services.store.engine import open_engine
from services.store.turn import take_turn
from tests.integration.api.conftest import make_finding, make_verdict
from tests.support.events import plan, random_log
from tests.support.processes import end, go_on, line, start, until
from tests.support.stores import ListSource, clock, kept_in, rows_of, store, take, url_of

pytestmark = pytest.mark.postgres

PLAN = plan(bot=False)


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    """A store with facts that nobody has looked at."""
    with kept_in("postgresql"):
        made = store(tmp_path)
        take(made, PLAN, ListSource(random_log(4, 200)))
        yield made


@pytest.fixture
def standby(engine: Engine) -> Iterator[Evaluator]:
    other = open_engine(url_of(engine))
    yield Evaluator(other, PLAN, clock)
    other.dispose()


def looks(engine: Engine) -> list[tuple[str, int]]:
    return sorted((row.variant, row.cutoff) for row in rows_of(engine, t.look))


def test_a_paused_leader_loses_its_turn_to_the_standby_and_writes_nothing(engine: Engine, standby: Evaluator) -> None:
    leader = start(url_of(engine), module="tests.support.leader")
    try:
        assert line(leader) == "thinking"
        time.sleep(3)
        assert standby.look() == [], "it thinks for longer than the time-out, and is not idle"
        leader.send_signal(signal.SIGSTOP)
        began = time.monotonic()
        verdicts = until(standby.look, 15)
        assert time.monotonic() - began < 10
        written = looks(engine)
        assert len(written) == len(verdicts) > 1
        leader.send_signal(signal.SIGCONT)
        go_on(leader)
        assert line(leader).startswith("refused: the evaluation was broken off")
    finally:
        end([leader])
    assert looks(engine) == written
    with engine.connect() as connection:
        assert connection.scalar(sa.select(t.evaluation.c.worker)) == standby._worker


def test_a_killed_leader_s_turn_is_free_at_once(engine: Engine, standby: Evaluator) -> None:
    leader = start(url_of(engine), module="tests.support.leader")
    try:
        assert line(leader) == "thinking"
        leader.kill()
        began = time.monotonic()
        assert until(standby.look, 15)
        assert time.monotonic() - began < 5
    finally:
        end([leader])


def test_only_one_has_a_deployment_s_turn(engine: Engine) -> None:
    with take_turn(engine, "shop", "one", 1) as mine:
        assert mine is not None
        with take_turn(engine, "shop", "another", 2) as other:
            assert other is None
        with take_turn(engine, "bot", "another", 2) as elsewhere:
            assert elsewhere is not None
    with take_turn(engine, "shop", "another", 3) as other:
        assert other is not None
    rows = {row.deployment: (row.turn, row.worker, row.at) for row in rows_of(engine, t.evaluation)}
    assert rows == {"shop": (2, "another", 3), "bot": (1, "another", 2)}


def test_a_turn_sees_one_moment_and_is_refused_if_another_came_between(engine: Engine) -> None:
    with take_turn(engine, "shop", "one", 0):
        pass
    with engine.connect().execution_options(isolation_level="REPEATABLE READ") as old, old.begin():
        old.execute(sa.select(1))  # its snapshot, as if the lock were got a little later
        with take_turn(engine, "shop", "another", 1) as other:
            assert other is not None
        with pytest.raises(sa.exc.OperationalError, match="could not serialize"):
            old.execute(sa.update(t.evaluation).values(turn=t.evaluation.c.turn + 1))


def test_an_evaluator_whose_database_goes_says_so_and_looks_again(engine: Engine, standby: Evaluator) -> None:
    name = engine.url.database
    admin = sa.create_engine(standby.engine.url.set(database="postgres"), isolation_level="AUTOCOMMIT")
    engine.dispose()
    with admin.connect() as connection:
        connection.exec_driver_sql(f"ALTER DATABASE {name} ALLOW_CONNECTIONS 0")
        with pytest.raises(Unavailable, match="not currently accepting connections"):
            standby.look()
        connection.exec_driver_sql(f"ALTER DATABASE {name} ALLOW_CONNECTIONS 1")
    admin.dispose()
    assert len(standby.look()) > 1


def test_an_alert_that_a_person_touched_meanwhile_is_not_moved_on_old_knowledge(engine: Engine) -> None:
    finding = make_finding(deployment="shop", variant="shop-int4")
    verdict = make_verdict(deployment="shop", variant="shop-int4", findings=(finding,))
    with writing(engine) as connection, connection.begin():
        alerts.apply(connection, verdict, 1_000, ["webhook:a"])
        name = str(connection.scalar(sa.select(t.alert.c.id)))
    with engine.connect().execution_options(isolation_level="REPEATABLE READ") as old, old.begin():
        old.execute(sa.select(t.transition)).all()
        with writing(engine) as connection, connection.begin():
            assert isinstance(alerts.act(connection, name, Word.RESOLVED, "ana", "mine", 2_000), alert_rows.StoredAlert)
        with pytest.raises(sa.exc.OperationalError, match="could not serialize"):
            alerts.apply(old, verdict, 3_000, ["webhook:a"])
    rows = {row.id: row.version for row in rows_of(engine, t.alert)}
    happened = [row for row in rows_of(engine, t.transition) if row.alert == name]
    assert rows == {name: len(happened)}
    assert len(rows_of(engine, t.outbox)) == 2, "that it opened, and that it was resolved"
