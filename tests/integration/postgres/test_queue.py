"""Many shadow workers on one table: none waits for another, no task is held twice, the first result of an arm wins."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from monitor.model import Arm, Output
from services.errors import Unavailable
from services.store import tables as t
from services.store.engine import open_engine
from services.store.queue import ShadowQueue
from shadow.ports import ArmResult
from tests.integration.core.test_shadow_queue import as_task
from tests.support.stores import kept_in, rows_of, store

pytestmark = pytest.mark.postgres

NOW = 1_000_000
TASKS, WORKERS = 200, 8


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    with kept_in("postgresql"):
        made = store(tmp_path)
        common = {"deployment": "shop", "variant": "int4", "event": b"{}", "arms": "deployed,reference"}
        rows = [common | {"pair_id": f"p{n}", "attempts": 0, "leased_until": 0, "at": n} for n in range(TASKS)]
        with made.begin() as connection:
            connection.execute(sa.insert(t.queue), rows)
        yield made


def queue(engine: Engine) -> ShadowQueue[Any]:
    return ShadowQueue(engine, lambda: NOW, 10**9, lambda _: ("schema",), as_task)


def answer(pair_id: str, arm: Arm, said: str) -> ArmResult:
    return ArmResult(pair_id, arm, {"schema": 1}, Output(said), None, None, 0.1)


def test_workers_at_once_hold_every_task_once(engine: Engine) -> None:
    def work(n: int) -> list[str]:
        held = []
        while tasks := queue(engine).lease(7, f"w{n}", 60):
            held += [task.pair_id for task in tasks]
        return held

    with ThreadPoolExecutor(WORKERS) as pool:
        held = [name for each in pool.map(work, range(WORKERS)) for name in each]
    assert sorted(held) == sorted(f"p{n}" for n in range(TASKS))


def test_a_worker_that_holds_rows_keeps_no_other_waiting(engine: Engine) -> None:
    with engine.connect() as slow, slow.begin():
        first = sa.select(t.queue).order_by(t.queue.c.at).limit(3).with_for_update()
        assert len(slow.execute(first).all()) == 3
        assert [task.pair_id for task in queue(engine).lease(2, "quick", 60)] == ["p3", "p4"]


def test_workers_that_finish_the_same_arms_at_once_leave_one_result_each(engine: Engine) -> None:
    names = [f"p{n}" for n in range(TASKS)]

    def work(n: int) -> None:
        order = names if n % 2 else list(reversed(names))
        for at in range(0, TASKS, 20):
            both = [answer(name, arm, f"w{n}") for name in order[at : at + 20] for arm in (Arm.DEPLOYED, Arm.REFERENCE)]
            queue(engine).finish(both)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))
    assert len(rows_of(engine, t.arm)) == 2 * TASKS
    assert len(rows_of(engine, t.pair_text)) == 2 * TASKS
    assert rows_of(engine, t.queue) == []


def test_a_database_that_is_down_is_not_now() -> None:
    with pytest.raises(Unavailable, match="the queue did not answer"):
        queue(open_engine("postgresql://nobody@127.0.0.1:1/nothing")).lease(1, "w", 60)
