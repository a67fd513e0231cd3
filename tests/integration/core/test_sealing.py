"""A bucket is sealed once, when every open source has passed its end, lateness and horizon; then it never changes."""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from monitor.model import Population
from monitor.watch import Group, Watch
from services.evaluate import Evaluator
from services.runtime import Ingestion
from services.store import tables as t
from services.store.commit import register
from services.store.facts import FactReader
from services.store.sealing import seal
from tests.support.events import CLOCK, START, Json, lines, plan, random_log, request
from tests.support.stores import (
    ListSource,
    clock,
    counted,
    quarantined,
    rows_of,
    seal_all,
    sealed_facts,
    store,
    take,
    watermark,
)

pytestmark = pytest.mark.usefixtures("either_database")

PLAN = plan(bot=False)
WIDTH, LATENESS, HORIZON = 30, 30, 40
EDGE = (START // WIDTH + 1) * WIDTH
"""The end of the first event's bucket."""
FIRST = int(START // WIDTH)


def at(*times: float, **given: object) -> list[Json]:
    return [request(f"r{time}", time, **given) for time in times]


def open_with(engine: Engine, *times: float, name: str = "log") -> None:
    """A source, still open, whose newest event is the last of these."""
    take(engine, PLAN, ListSource(lines(*at(*times)), name=name, drains=False), finish=False)


def live_edge(engine: Engine) -> int:
    return seal_all(engine, PLAN, everything=False)["shop"][Group.LIVE]


@pytest.mark.parametrize(
    ("passed", "is_sealed"),
    [(EDGE, False), (EDGE + LATENESS - 0.001, False), (EDGE + LATENESS, True), (EDGE + 500, True)],
)
def test_a_bucket_is_sealed_when_the_watermark_passed_its_end_and_lateness(
    tmp_path: Path, passed: float, is_sealed: bool
) -> None:
    engine = store(tmp_path)
    open_with(engine, START, passed)
    assert (live_edge(engine) > FIRST) is is_sealed
    assert (counted(engine, "traffic", bucket=FIRST) == {"requests": 1}) is is_sealed


@pytest.mark.parametrize(("group", "horizon"), [(Group.CORRECTION, 40), (Group.PAIR, 40), (Group.JOIN, 120)])
def test_what_needs_hindsight_waits_for_its_horizon_too(tmp_path: Path, group: Group, horizon: int) -> None:
    for beyond, is_sealed in ((-0.001, False), (0, True)):
        engine = store(tmp_path, f"beyond{beyond}")
        open_with(engine, START, EDGE + LATENESS + horizon + beyond)
        edges = seal_all(engine, PLAN, everything=False)["shop"]
        assert (edges[group] > FIRST) is is_sealed


def test_a_second_source_that_is_stuck_holds_up_sealing_until_it_is_closed(tmp_path: Path) -> None:
    engine = store(tmp_path)
    register(engine, "stuck", "stuck")
    open_with(engine, START, EDGE + 1000)
    assert live_edge(engine) == 0
    assert counted(engine, "traffic") == {}
    with engine.begin() as connection:
        connection.execute(sa.update(t.position).where(t.position.c.source == "stuck").values(closed=True))
    assert live_edge(engine) > FIRST


def test_a_source_that_is_behind_holds_up_what_it_may_still_bring(tmp_path: Path) -> None:
    engine = store(tmp_path)
    open_with(engine, START, EDGE + 1000)
    open_with(engine, START + 1, name="slow")
    assert live_edge(engine) <= FIRST


def unsealed_reader(engine: Engine) -> int:
    """The fault: units counted from open deltas as well, before their outcomes can have come."""
    return int(sum(counted(engine, "traffic").values())) + len(rows_of(engine, t.delta))


def sealed_reader(engine: Engine) -> int:
    return int(sum(counted(engine, "traffic").values()))


@pytest.mark.parametrize("read", [sealed_reader, pytest.param(unsealed_reader, marks=pytest.mark.xfail(strict=True))])
def test_evidence_reads_sealed_buckets_only(tmp_path: Path, read) -> None:  # type: ignore[no-untyped-def]
    engine = store(tmp_path)
    open_with(engine, START, START + 1)
    live_edge(engine)
    assert read(engine) == 0
    (facts,) = [FactReader(Watch("shop", PLAN)).variants(engine.connect(), 10**9)]
    assert facts == []


def test_sealing_twice_changes_nothing(tmp_path: Path) -> None:
    engine = store(tmp_path)
    take(engine, PLAN, ListSource(random_log(4, 150)))
    seal_all(engine, PLAN)
    before = sealed_facts(engine), rows_of(engine, t.seal)
    seal_all(engine, PLAN)
    assert (sealed_facts(engine), rows_of(engine, t.seal)) == before


def test_sealing_bit_by_bit_gives_the_facts_of_sealing_at_once(tmp_path: Path) -> None:
    log = random_log(4, 200)
    slow, fast = store(tmp_path, "slow"), store(tmp_path, "fast")
    ingestion = Ingestion(slow, PLAN, clock)
    for end in range(20, 201, 20):
        ingestion.read(ListSource(log[:end], size=20, drains=False))
        seal_all(slow, PLAN, everything=False)
    assert len(sealed_facts(slow)) > 100
    take(fast, PLAN, ListSource(log, size=20, drains=False))
    for engine in (slow, fast):
        seal_all(engine, PLAN)
    assert sealed_facts(slow) == sealed_facts(fast)


def test_the_open_deltas_of_a_sealed_bucket_are_gone(tmp_path: Path) -> None:
    engine = store(tmp_path)
    open_with(engine, START, EDGE + 1000)
    live_edge(engine)
    assert {row.grp for row in rows_of(engine, t.delta) if row.bucket == FIRST} <= {"correction", "join", "pair"} - {
        g.value for g, edge in seal_all(engine, PLAN, everything=False)["shop"].items() if edge > FIRST
    }


@pytest.mark.parametrize("restarted", [True, False], ids=["restarted", "same process"])
@pytest.mark.parametrize("new_source", [True, False], ids=["new source", "same source"])
def test_what_comes_after_sealing_is_quarantined_and_changes_no_sealed_row(
    tmp_path: Path, restarted: bool, new_source: bool
) -> None:
    engine = store(tmp_path)
    ingestion = Ingestion(engine, PLAN, clock)
    first = lines(*at(START, START + 1))
    ingestion.read(ListSource(first, drains=False))
    seal_all(engine, PLAN)
    before = sealed_facts(engine)
    if restarted:
        ingestion.forget()
    late = lines(request("late", START + 2), request("new", START + 300))
    again = ListSource(late, name="another") if new_source else ListSource([*first, *late], drains=False)
    summary = ingestion.read(again)
    assert (summary.accepted, summary.quarantined) == (1, {"late": 1})
    seal_all(engine, PLAN)
    after = sealed_facts(engine)
    assert {key: after[key] for key in before} == before
    assert {key[7] for key in after.keys() - before.keys()} == {int((START + 300) // WIDTH)}


def test_a_bucket_sealed_while_a_run_was_under_way_refuses_the_run(tmp_path: Path) -> None:
    engine = store(tmp_path)
    ingestion = Ingestion(engine, PLAN, clock)
    log = lines(*at(START, START + 1, START + 2, START + 300))
    summary = ingestion.read(ListSource(log, size=1, drains=False), lambda batch: seal_once(engine, batch.end))
    assert (summary.accepted, summary.quarantined) == (3, {"late": 1})
    seal_all(engine, PLAN)
    assert counted(engine, "traffic", bucket=FIRST) == {"requests": 2}


def seal_once(engine: Engine, position: int) -> None:
    if position == 2:
        seal_all(engine, PLAN)


def test_a_correction_of_a_sealed_turn_stays_apart(tmp_path: Path) -> None:
    engine = store(tmp_path)
    ingestion = Ingestion(engine, PLAN, clock)
    first = request("a", EDGE - 1, conversation="c", turn=1)
    said = {"messages": [{"role": "user", "content": "No, that's not what I asked for."}]}
    second = request("b", EDGE + 1, conversation="c", turn=2, **said)
    ingestion.read(ListSource(lines(first), drains=False))
    seal_all(engine, PLAN)
    before = counted(engine, "correction", population=Population.ALL)
    ingestion.read(ListSource(lines(first, second), drains=False))
    seal_all(engine, PLAN)
    seal_all(engine, PLAN)
    assert counted(engine, "correction", population=Population.ALL, bucket=FIRST) == before


def test_events_from_the_future_do_not_make_old_evidence_look_fresh(tmp_path: Path) -> None:
    engine = store(tmp_path)
    future = CLOCK / 1000 + LATENESS + 1
    open_with(engine, START, future, CLOCK / 1000 * 2)
    assert watermark(engine) == int(START * 1000)
    assert [reason for _, _, reason, _ in quarantined(engine)] == ["early", "early"]
    assert live_edge(engine) <= FIRST
    assert Evaluator(engine, PLAN, clock).look() == []


def test_without_arrival_stamps_lines_from_the_past_are_late_by_the_log_s_own_time(tmp_path: Path) -> None:
    engine = store(tmp_path)
    open_with(engine, START + 100, START + 100 - LATENESS, START + 99 - LATENESS)
    assert [(position, reason) for _, position, reason, _ in quarantined(engine)] == [(2, "late")]


def test_arrival_stamps_decide_what_is_early_and_late_and_move_the_watermark(tmp_path: Path) -> None:
    engine = store(tmp_path)
    arrivals = [int((START + s) * 1000) for s in (0, 50, 60)]
    log = lines(request("on time", START - 5), request("too late", START - 31), request("too early", START + 91))
    summary = take(engine, PLAN, ListSource(log, arrivals=arrivals, drains=False), finish=False)
    assert (summary.accepted, summary.quarantined) == (1, {"late": 1, "early": 1})
    assert watermark(engine) == arrivals[1], "a late record moves it, an early one does not"


def test_a_drained_source_is_as_far_as_the_clock_less_lateness(tmp_path: Path) -> None:
    engine = store(tmp_path)
    take(engine, PLAN, ListSource(lines(*at(START))), finish=False)
    assert watermark(engine) == CLOCK - LATENESS * 1000


def test_two_evaluators_at_once_seal_a_bucket_once(tmp_path: Path) -> None:
    engine = store(tmp_path)
    open_with(engine, START, EDGE + 1000)
    watch = Watch("shop", PLAN)
    assert seal(engine, watch, CLOCK) == seal(engine, watch, CLOCK)
    assert counted(engine, "traffic", bucket=FIRST) == {"requests": 1}


def test_a_reader_that_stays_reads_what_a_new_one_reads(tmp_path: Path) -> None:
    engine = store(tmp_path)
    log = random_log(6, 300)
    ingestion, watch = Ingestion(engine, PLAN, clock), Watch("shop", PLAN)
    staying = FactReader(watch)
    for end in range(30, 301, 30):
        ingestion.read(ListSource(log[:end], size=30, drains=False))
        cut = seal(engine, watch, CLOCK)[Group.PAIR]
        with engine.connect() as connection:
            found = staying.variants(connection, cut)
            fresh = FactReader(watch).variants(connection, cut)
        assert [facts.variant for facts in found] == [facts.variant for facts in fresh]
        for one, other in zip(found, fresh, strict=True):
            for population in ("pairs", "units"):
                a, b = getattr(one, population), getattr(other, population)
                assert a.keys() == b.keys()
                assert all((a[key].counts == b[key].counts).all() for key in a)
                assert all((a[key].buckets == b[key].buckets).all() for key in a)
    assert ("all", "correction") in found[0].units
