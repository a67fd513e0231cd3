"""Law: which worker holds a partition, and how often it changes, makes no difference to anything."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
import sqlalchemy as sa

from services.errors import FenceError
from services.store import tables as t
from services.store.offsets import Partition, register_partitions, stands
from tests.support.events import plan, random_log
from tests.support.partitions import Holder, calm, memorable_log, outcome, parted, source
from tests.support.stores import rows_of, store

pytestmark = pytest.mark.usefixtures("either_database")

PLAN = plan(unit_turns=[1.0], joins={"share": 1.0, "horizon": "2m"})


@pytest.mark.parametrize("seed", range(2))
def test_partitions_that_wander_between_workers_give_what_an_undisturbed_reading_gives(
    tmp_path: Path, seed: int
) -> None:
    draw = random.Random(seed)
    parts = parted(random_log(seed, 300) if seed else memorable_log(300), 3)
    engine = store(tmp_path)
    workers = [Holder(engine, PLAN, parts) for _ in range(3)]
    owner = {number: draw.choice(workers) for number in range(3)}
    for number, worker in owner.items():
        worker.place(number)
    waiting = set(owner)
    while waiting:
        number = draw.choice(sorted(waiting))
        if draw.random() < 0.5:
            owner[number] = draw.choice(workers)
            owner[number].place(number)
        if not owner[number].take(number, draw.randint(1, 12)):
            waiting.remove(number)

    assert outcome(engine, PLAN) == calm(tmp_path, PLAN, parts)


def test_two_workers_that_both_believe_they_own_a_partition_count_nothing_twice(tmp_path: Path) -> None:
    parts = parted(memorable_log(200), 1)
    engine = store(tmp_path)
    one, other = Holder(engine, PLAN, parts), Holder(engine, PLAN, parts)
    one.place(0)
    other.place(0)
    one.take(0, 30)

    with pytest.raises(FenceError):
        other.take(0, 50)
    other.place(0)
    other.take(0, 50)
    with pytest.raises(FenceError):
        one.take(0, 10)
    one.place(0)
    while one.take(0, 25):
        pass

    assert outcome(engine, PLAN) == calm(tmp_path, PLAN, parts)


def test_a_worker_that_gets_a_partition_back_does_not_trust_what_it_remembers_of_it(tmp_path: Path) -> None:
    parts = parted(memorable_log(300), 1)
    engine = store(tmp_path)
    first, second = Holder(engine, PLAN, parts), Holder(engine, PLAN, parts)
    first.place(0)
    first.take(0, 100)
    second.place(0)
    second.take(0, 100)
    first.place(0)
    while first.take(0, 100):
        pass

    assert outcome(engine, PLAN) == calm(tmp_path, PLAN, parts)


def test_a_topic_that_grows_goes_on_at_its_positions_and_stops_who_does_not_know_of_it(tmp_path: Path) -> None:
    parts = parted(random_log(7, 120), 2)
    engine = store(tmp_path)
    unaware = Holder(engine, PLAN, parts)
    unaware.place(0)
    unaware.take(0, 10)

    grown = [Partition(source(number), "id-of-requests", 3, 0) for number in range(3)]
    assert register_partitions(engine, grown) == {}

    assert stands(engine, [source(0)])[source(0)].next == 10
    assert {row.incarnation for row in rows_of(engine, t.position)} == {"id-of-requests/3"}
    with pytest.raises(FenceError):
        unaware.take(0, 10)
    with pytest.raises(FenceError):
        register_partitions(engine, unaware.partitions)


def test_a_topic_that_was_made_anew_is_not_the_one_that_was_read(tmp_path: Path) -> None:
    parts = parted(random_log(8, 60), 1)
    engine = store(tmp_path)
    holder = Holder(engine, PLAN, parts)
    holder.place(0)
    holder.take(0, 10)

    refused = register_partitions(engine, [Partition(source(0), "another", 1, 0)])

    assert refused[source(0)].gap.position == 10
    assert stands(engine, [source(0)])[source(0)].next == 10


def test_partitions_that_nobody_reads_yet_hold_up_sealing(tmp_path: Path) -> None:
    engine = store(tmp_path)
    Holder(engine, PLAN, parted(random_log(9, 10), 2))

    with engine.connect() as connection:
        open_ones = connection.scalars(sa.select(t.position.c.source).where(t.position.c.closed.is_(False))).all()

    assert sorted(open_ones) == [source(0), source(1)]
