"""Two processes that both believe they own a source: one commits, the other fails on the fence."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import sqlalchemy as sa

from monitor.state import State
from monitor.step import step
from services.errors import FenceError
from services.store import tables as t
from services.store.commit import commit, register
from services.store.holding import keep_still
from tests.support.events import CLOCK, START, lines, request
from tests.support.owner import LOG, PLAN
from tests.support.processes import end, go_on, line, start
from tests.support.stores import ListSource, everything_of, kept_in, seal_all, store, take, url_of

pytestmark = pytest.mark.postgres


@pytest.fixture(autouse=True)
def on_postgres() -> Iterator[None]:
    with kept_in("postgresql"):
        yield


def test_of_two_processes_with_the_same_run_one_is_refused(tmp_path: Path) -> None:
    alone, shared = store(tmp_path), store(tmp_path)
    owners = [start(url_of(shared), module="tests.support.owner") for _ in range(2)]
    try:
        assert [line(owner) for owner in owners] == ["ready", "ready"]
        for owner in owners:
            go_on(owner)
        said = sorted(line(owner) for owner in owners)
    finally:
        end(owners)
    assert said == ["committed", "refused: log no longer stands at 0"]
    for engine in (alone, shared):
        take(engine, PLAN, ListSource(LOG, size=150))
        seal_all(engine, PLAN)
    assert everything_of(shared) == everything_of(alone)


def test_many_writers_at_once_of_a_source_move_it_once(tmp_path: Path) -> None:
    engine = store(tmp_path)
    source = ListSource(LOG, size=100)
    register(engine, source.name, source.incarnation)
    batch = step(State(PLAN), next(source.runs(0)))

    def write(_: int) -> bool:
        try:
            commit(engine, batch, 1000, CLOCK)
            return True
        except FenceError:
            return False

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(write, range(8))) == 1


def test_workers_that_meet_a_new_source_at_once_all_get_its_position(tmp_path: Path) -> None:
    engine = store(tmp_path)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: register(engine, "new", "new"), range(8)))
    assert found == [(0, "")] * 8


def test_nothing_enters_a_bucket_while_it_is_sealed(tmp_path: Path) -> None:
    engine = store(tmp_path)
    register(engine, "log", "log")
    batch = step(State(PLAN), next(ListSource(lines(request("r", START))).runs(0)))
    with ThreadPoolExecutor(1) as pool, engine.connect() as sealer:
        with sealer.begin():
            keep_still(sealer, "shop")
            writing = pool.submit(commit, engine, batch, None, CLOCK)
            with pytest.raises(TimeoutError):
                writing.result(timeout=0.5)
            bucket = batch.deltas[0].bucket + 1
            sealer.execute(sa.insert(t.seal).values(deployment="shop", grp="live", first_open=bucket, at=0))
        with pytest.raises(FenceError, match="was sealed"):
            writing.result(timeout=10)


def test_an_error_of_the_database_repeats_nothing_of_the_row(tmp_path: Path) -> None:
    engine = store(tmp_path)
    with pytest.raises(sa.exc.IntegrityError) as caught, engine.begin() as connection:
        connection.execute(sa.insert(t.queue).values(pair_id="p", deployment="MARK", event=b"MARK", arms="MARK"))
    assert "null value" in str(caught.value)
    assert "MARK" not in str(caught.value)
    assert "MARK" not in str(caught.value.orig)
