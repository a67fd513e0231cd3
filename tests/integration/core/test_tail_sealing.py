"""World logs hold up sealing while something is to come of them, and cost little while nothing is."""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sa

from services.store import tables as t
from services.store.sealing import frontier
from tests.support.events import START, plan
from tests.support.following import World, events
from tests.support.stores import rows_of


def watermark(world: World) -> float:
    with world.engine.connect() as connection:
        return frontier(connection, world.clock()) / 1000


def test_logs_that_wait_hold_up_sealing_before_any_is_read(world: World) -> None:
    world.write("a.log", *events(0, 5))
    world.write("b.log", *events(0, 5))
    world.tails[0].find(world.ingestion)
    assert watermark(world) == 0
    world.tails[0].take(world.ingestion)
    assert watermark(world) > START - 3600


def test_a_drained_log_lets_time_go_on_and_a_finished_one_holds_nothing_up(tmp_path: Path) -> None:
    world = World(tmp_path, plan(bot=False))  # thirty seconds late at most
    world.write("app.log", *events(0, 5))
    world.look()
    world.now += 1000
    world.look()
    assert watermark(world) == pytest.approx(world.now - 30, abs=0.01)
    world.rename("app.log", "app.log.1")
    world.rest()
    assert world.open == []
    world.close()


def test_what_rests_in_the_store_rests_in_memory_too(tmp_path: Path) -> None:
    world = World(tmp_path, plan(bot=False))
    world.write("a.log", *events(0, 5))
    world.look()
    world.now += 1000
    world.look()
    world.close()
    state = world.ingestion._state
    assert state is not None
    assert state.watermarks == {row.source: row.watermark for row in rows_of(world.engine, t.position)}
    assert min(state.watermarks.values()) == world.clock() - 30_000


def test_a_quiet_folder_of_many_logs_is_only_looked_at(world: World) -> None:
    for n in range(300):
        world.write(f"pod-{n}.log", *events(n, n + 1))
    world.look(2)
    assert world.counted == 300
    statements: list[str] = []
    sa.event.listen(world.engine, "before_cursor_execute", lambda *given: statements.append(given[2]))
    world.look()
    assert [text.split()[0] for text in statements] == ["BEGIN", "UPDATE"]


def test_lines_that_come_after_two_hours_of_silence_are_no_new_beginning(world: World) -> None:
    world.write("app.log", *events(0, 5))
    world.look()
    world.now += 7200
    world.look(3)
    assert world.open == [], "after an hour it is let go"
    world.write("app.log", *events(7200, 7205))
    world.look()
    assert world.counted == 10
    assert len(world.positions) == 1


def test_a_log_that_is_not_wanted_any_more_holds_nothing_up(world: World) -> None:
    world.write("app.log", *events(0, 5))
    world.write("other.log", *events(5, 6))
    world.look()
    world.words = (str(world.folder / "app.log"),)
    world.start()
    world.rest()
    assert world.open == ["app.log"]
    assert world.gaps == []
    world.words = (str(world.folder),)
    world.start()
    world.write("other.log", *events(6, 7))
    world.look()
    assert world.counted == 7
