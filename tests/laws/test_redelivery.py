"""Law 2: redelivery changes nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from monitor.state import State
from monitor.step import step
from services.errors import FenceError
from services.runtime import Ingestion
from services.store.commit import commit, register
from tests.support.events import CLOCK, START, lines, plan, random_log, request
from tests.support.stores import ListSource, clock, counted, everything_of, seal_all, store, take

pytestmark = pytest.mark.usefixtures("either_database")

PLAN = plan()
LOG = random_log(11, 300)


def test_a_run_that_was_committed_is_refused_by_the_fence_and_leaves_no_trace(tmp_path: Path) -> None:
    engine = store(tmp_path)
    source = ListSource(LOG, size=100)
    register(engine, source.name, source.incarnation)
    state = State(PLAN)
    batches = [step(state, run) for run in source.runs(0)]
    for batch in batches:
        commit(engine, batch, 1000, CLOCK)
    before = everything_of(engine)
    for batch in batches:
        with pytest.raises(FenceError):
            commit(engine, batch, 1000, CLOCK)
    assert everything_of(engine) == before


def test_a_run_out_of_its_turn_is_refused(tmp_path: Path) -> None:
    engine = store(tmp_path)
    source = ListSource(LOG, size=100)
    register(engine, source.name, source.incarnation)
    state = State(PLAN)
    _, second, _ = [step(state, run) for run in source.runs(0)]
    with pytest.raises(FenceError):
        commit(engine, second, None, CLOCK)


def test_reading_again_goes_on_from_the_stored_position(tmp_path: Path) -> None:
    engine = store(tmp_path)
    first = take(engine, PLAN, ListSource(LOG, size=64))
    before = everything_of(engine)
    again = take(engine, PLAN, ListSource(LOG, size=64))
    assert (first.accepted > 0, again.accepted, again.duplicates) == (True, 0, 0)
    assert everything_of(engine) | {"position": []} == before | {"position": []}


def test_a_worker_that_lost_its_position_to_another_reads_again_and_nothing_doubles(tmp_path: Path) -> None:
    alone, shared = store(tmp_path, "alone"), store(tmp_path, "shared")
    take(alone, PLAN, ListSource(LOG, size=50))
    slow, quick = Ingestion(shared, PLAN, clock), Ingestion(shared, PLAN, clock)
    overtaken = []

    def overtake(_: object) -> None:
        if not overtaken:
            overtaken.append(True)
            quick.read(ListSource(LOG[:200], size=50, drains=False))

    slow.read(ListSource(LOG, size=50), overtake)
    slow.finish(ListSource(LOG))
    for engine in (alone, shared):
        seal_all(engine, PLAN)
    assert everything_of(shared) == everything_of(alone)


@pytest.mark.parametrize("same_process", [True, False], ids=["one process", "a process each"])
def test_the_same_events_in_another_file_are_duplicates(tmp_path: Path, same_process: bool) -> None:
    # Longer than lateness by far: the ids at the beginning are old news when the copy begins.
    log = lines(*(request(f"r{n}", START + 10 * n) for n in range(40)))
    engine = store(tmp_path)
    ingestion = Ingestion(engine, PLAN, clock)
    for name in ("log", "copy"):
        source = ListSource(log, size=5, name=name)
        summary = (ingestion if same_process else Ingestion(engine, PLAN, clock)).read(source)
        ingestion.finish(source)
    assert (summary.accepted, summary.duplicates) == (0, 40)
    seal_all(engine, PLAN)
    assert counted(engine, "traffic") == {"requests": 40}


def test_an_id_that_comes_again_within_lateness_is_a_duplicate_and_beyond_it_is_late(tmp_path: Path) -> None:
    first = request("r", START)
    log = lines(
        first,
        request("r", START + 29),
        first | {"time": START + 1},
        request("later", START + 200),
        first,
    )
    summary = take(store(tmp_path), PLAN, ListSource(log, size=2))
    assert (summary.accepted, summary.duplicates, summary.quarantined) == (2, 2, {"late": 1})


def test_ids_of_other_deployments_are_others(tmp_path: Path) -> None:
    log = lines(request("r", START), request("r", START, deployment="bot", variant="bot-a"))
    assert take(store(tmp_path), PLAN, ListSource(log)).accepted == 2


def test_an_id_used_again_long_after_does_not_stop_the_ingestion(tmp_path: Path) -> None:
    watched = plan(joins={"share": 1.0, "horizon": "1h"})
    log = lines(
        request("r", START), request("other", START + 300), request("r", START + 301), request("r", START + 9999)
    )
    for size in (1, 4):
        engine = store(tmp_path, f"runs-of-{size}")
        assert take(engine, watched, ListSource(log, size=size)).accepted == 4
