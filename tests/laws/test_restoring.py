"""Law 6: memory that was thrown away and rebuilt from the store answers as memory that never left."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import pytest

from monitor.run import Run
from monitor.state import State
from monitor.step import step
from services.errors import StoreError
from services.runtime import Ingestion
from services.store import tables as t
from services.store.commit import commit, register
from services.store.restore import restore
from services.store.retention import forget
from tests.support.events import CLOCK, START, lines, plan, random_log, request, score
from tests.support.stores import ListSource, clock, everything_of, seal_all, store, take

pytestmark = pytest.mark.usefixtures("either_database")

PLAN = plan()
FULL = {
    "sqlite": (
        "CREATE TRIGGER no_room BEFORE INSERT ON delta BEGIN SELECT RAISE(ABORT, 'disk full'); END",
        "DROP TRIGGER no_room",
    ),
    "postgresql": (
        "CREATE FUNCTION no_room() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'disk full'; END $$;"
        "CREATE TRIGGER no_room BEFORE INSERT ON delta FOR EACH ROW EXECUTE FUNCTION no_room()",
        "DROP TRIGGER no_room ON delta",
    ),
}
"""What a full disk is played by, and its end."""
COMPARED = ("facts", "quarantine", "pair", "arm", "queue", "position")


class Disturbed:
    """Reads two logs by turns, and does to its memory what `disturb` says before and after each commit."""

    def __init__(self, folder: Path, name: str, disturb: Callable[[], str]) -> None:
        self.engine = store(folder, name)
        self.disturb = disturb

    def read(self, logs: dict[str, list[bytes]], size: int) -> None:
        runs = {name: ListSource(log, size=size, name=name).runs(0) for name, log in logs.items()}
        for name in logs:
            register(self.engine, name, name)
        state = restore(self.engine, PLAN)
        while runs:
            for name in list(runs):
                run = next(runs[name], None)
                if run is None:
                    del runs[name]
                else:
                    state = self.take(state, run)

    def take(self, state: State, run: Run) -> State:
        what = self.disturb()
        if what == "crash between step and commit":
            step(state, run)
            state = restore(self.engine, PLAN)
        commit(self.engine, step(state, run), 1000, CLOCK)
        if what == "killed after commit":
            state = restore(self.engine, PLAN)
        if what == "killed, and the store tidied":
            forget(self.engine, CLOCK, None)
            state = restore(self.engine, PLAN)
        return state


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_facts_are_the_same_wherever_the_process_is_killed(tmp_path: Path, seed: int) -> None:
    log = random_log(seed, 400)
    logs = {"log": log[::2] + log[1:60:2], "other": log[1::2]}
    draw = random.Random(seed)
    misfortunes = ("none", "crash between step and commit", "killed after commit", "killed, and the store tidied")
    calm = Disturbed(tmp_path, "calm", lambda: "none")
    rough = Disturbed(tmp_path, "rough", lambda: draw.choice(misfortunes))
    found = []
    for world in (calm, rough):
        world.read(logs, 17)
        seal_all(world.engine, PLAN)
        found.append(everything_of(world.engine))
    assert found[0]["facts"]
    for part in COMPARED:
        assert found[1][part] == found[0][part], f"{part} differ after kills"


def test_forgetting_before_every_run_changes_nothing(tmp_path: Path) -> None:
    log = random_log(5, 150)
    calm, rough = store(tmp_path, "calm"), store(tmp_path, "rough")
    take(calm, PLAN, ListSource(log, size=10))
    ingestion = Ingestion(rough, PLAN, clock)
    for end in range(10, 151, 10):
        ingestion.read(ListSource(log[:end], size=10, drains=end == 150))
        ingestion.forget()
    ingestion.finish(ListSource(log))
    for engine in (calm, rough):
        seal_all(engine, PLAN)
    assert everything_of(rough) == everything_of(calm)


def test_a_restored_memory_with_nothing_in_it_keeps_the_plan_s_lateness(tmp_path: Path) -> None:
    engine = store(tmp_path)
    take(engine, PLAN, ListSource([]), finish=False)
    source = ListSource(lines(request("r", CLOCK / 1000 - 20)))
    assert take(engine, PLAN, source).accepted == 1, "twenty seconds is within the thirty of the plan"


def test_a_commit_that_fails_leaves_the_memory_as_the_store_says(tmp_path: Path) -> None:
    engine = store(tmp_path)
    ingestion = Ingestion(engine, PLAN, clock)
    source = ListSource(lines(request("r", START)))
    full, room = FULL[engine.dialect.name]
    with engine.begin() as connection:
        connection.exec_driver_sql(full)
    with pytest.raises(StoreError, match="disk full"):
        ingestion.read(source)
    with engine.begin() as connection:
        connection.exec_driver_sql(room)
    assert ingestion.read(source).accepted == 1, "the failed attempt must not count as seen"


def test_open_joins_are_forgotten_once_nothing_on_time_can_meet_them() -> None:
    watched = plan(joins={"share": 1.0, "horizon": "1m"})
    state = State(watched)
    log = lines(*(request(f"r{n}", START + 10 * n) for n in range(3000)), score("s", "r2999", START + 30_000))
    for start in range(0, 3001, 100):
        part = log[start : start + 100]
        run = Run("log", "log", start, start + len(part), range(start, start + len(part)), part, CLOCK)
        batch = step(state, run)
    deployment = state.deployment("shop")
    assert deployment is not None
    assert len(deployment.joins) < 2100, "memory must not grow with the log"
    assert batch.quarantine == []


def test_an_id_is_remembered_in_the_store_until_lateness_has_passed(tmp_path: Path) -> None:
    engine = store(tmp_path)
    take(engine, PLAN, ListSource(lines(request("r", START)), drains=False), finish=False)
    forget(engine, CLOCK, None)
    with engine.connect() as connection:
        assert len(connection.execute(t.seen.select()).all()) == 1
