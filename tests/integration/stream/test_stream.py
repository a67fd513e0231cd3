"""Whole workers on a real broker: the same facts as an undisturbed reading, whoever reads, however often it changes."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.errors import GapError, RejectsError
from services.store import tables as t
from tests.support.events import START, feedback, line, plan, random_log, request, score
from tests.support.kafka import Kafka
from tests.support.partitions import calm, memorable_log, outcome, parted, without_names
from tests.support.stores import counted, quarantined, rows_of, seal_all, store
from tests.support.streaming import until
from tests.support.workers import Running, positions, running, settings, slow_clock

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(120)]
PLAN = plan(joins={"share": 1.0, "horizon": "2m"})
MS = int(START * 1000)


def taken(worker: Running) -> int:
    """How many records a worker has taken, in whatever way."""
    said = worker.stream.worker.summary
    return said.accepted + said.duplicates + sum(said.quarantined.values())


@pytest.mark.parametrize("batch", [7, 5_000])
def test_one_worker_gives_the_facts_of_an_undisturbed_reading(kafka: Kafka, tmp_path: Path, batch: int) -> None:
    parts = parted(random_log(3, 400), 3)
    topic, engine = kafka.topic(3), store(tmp_path)
    kafka.fill(topic, parts)

    with running(engine, PLAN, settings(kafka, topic, batch_records=batch)):
        until(lambda: sum(positions(engine, topic).values()) == 400)

    assert without_names(outcome(engine, PLAN)) == without_names(calm(tmp_path, PLAN, parts))


def test_workers_that_come_and_go_give_the_same_facts(kafka: Kafka, tmp_path: Path) -> None:
    parts = parted(memorable_log(1_500), 2)
    topic, engine = kafka.topic(2), store(tmp_path)
    group = settings(kafka, topic, batch_records=5)
    kafka.fill(topic, parts)

    with running(engine, PLAN, group, slow_clock) as first:
        with running(engine, PLAN, group, slow_clock) as second:
            until(lambda: taken(first) > 20 and taken(second) > 20)
        until(lambda: sum(positions(engine, topic).values()) == 1_500, seconds=60)

    assert taken(first) + taken(second) == len(memorable_log(1_500))
    assert without_names(outcome(engine, PLAN)) == without_names(calm(tmp_path, PLAN, parts))


def test_a_message_may_carry_many_events_and_what_is_set_aside_says_which_it_was(kafka: Kafka, tmp_path: Path) -> None:
    topic, engine = kafka.topic(), store(tmp_path)
    good = [line(request(f"r{number}", START + number)) for number in range(6)]
    array = b"[" + b",".join([good[0], b'{"kind":"riddle","id":"g"}', good[1]]) + b"]"
    several = b"\n".join([good[2], b"", good[3], b'{"id":"g"}'])
    spread = good[4].replace(b",", b",\n")
    kafka.write(topic, [array, several, (b"key", b"no json"), spread, good[5]], timestamp_ms=MS)

    with running(engine, PLAN, settings(kafka, topic)):
        until(lambda: positions(engine, topic) == {0: 5})

    seal_all(engine, PLAN)
    assert counted(engine, "traffic")["requests"] == 6
    assert [row[1:] for row in quarantined(engine)] == [
        (0, "unknown_kind", "record 2 of 3 in its message"),
        (1, "wrong_type", "Object missing required field `deployment`; record 3 of 3 in its message"),
        (2, "not_json", ""),
    ]
    assert [(row.key, row.body) for row in rows_of(engine, t.quarantine)][2] == (b"key", b"no json")


def test_records_that_expired_before_they_were_read_stop_the_worker_and_are_on_record(
    kafka: Kafka, tmp_path: Path
) -> None:
    topic, engine = kafka.topic(), store(tmp_path)
    kafka.write(topic, [line(request(f"r{number}", START + number)) for number in range(10)], timestamp_ms=MS)
    group = settings(kafka, topic)
    with running(engine, PLAN, group):
        until(lambda: positions(engine, topic) == {0: 10})
    kafka.write(topic, [line(request(f"s{number}", START + number)) for number in range(10)], timestamp_ms=MS)
    kafka.delete_before(topic, 15)

    with running(engine, PLAN, group) as worker:
        until(lambda: worker.ended)
        assert isinstance(worker.error, GapError)
        assert "no longer holds 5 offsets from 10 on" in str(worker.error)
    [gap] = rows_of(engine, t.gap)
    assert (gap.position, gap.until, gap.reason) == (10, 15, "expired")
    assert positions(engine, topic) == {0: 10}

    with running(engine, PLAN, settings(kafka, topic, skip_gaps=True)):
        until(lambda: positions(engine, topic) == {0: 20})
    seal_all(engine, PLAN)
    assert counted(engine, "traffic")["requests"] == 15
    assert len(rows_of(engine, t.gap)) == 1


def test_a_new_topic_is_read_from_its_beginning_though_that_is_not_offset_0(kafka: Kafka, tmp_path: Path) -> None:
    topic, engine = kafka.topic(), store(tmp_path)
    kafka.write(topic, [line(request(f"r{number}", START + number)) for number in range(10)], timestamp_ms=MS)
    kafka.delete_before(topic, 4)

    with running(engine, PLAN, settings(kafka, topic)):
        until(lambda: positions(engine, topic) == {0: 10})

    seal_all(engine, PLAN)
    assert counted(engine, "traffic")["requests"] == 6
    assert rows_of(engine, t.gap) == []


def test_one_reject_after_the_other_stops_the_worker_and_leaves_them_in_the_topic(kafka: Kafka, tmp_path: Path) -> None:
    topic, engine = kafka.topic(), store(tmp_path)
    kafka.write(topic, [line(request("r", START)), *[b"{}"] * 40], timestamp_ms=MS)

    with running(engine, PLAN, settings(kafka, topic, reject_limit=30, batch_records=10)) as worker:
        until(lambda: worker.ended)

    assert isinstance(worker.error, RejectsError)
    assert "records in a row" in str(worker.error)
    assert positions(engine, topic)[0] <= 1 + 30
    assert len(quarantined(engine)) < 30


def test_feedback_that_is_there_before_its_request_waits_for_it_in_its_topic(kafka: Kafka, tmp_path: Path) -> None:
    topic, beside, engine = kafka.topic(), kafka.topic(name="feedback"), store(tmp_path)
    said = [feedback("f1", "r1", START + 2), score("s1", "r1", START + 2), feedback("f9", "r9", START + 2)]
    kafka.write(beside, [line(each) for each in said], timestamp_ms=MS + 1_500)
    kafka.write(topic, [line(request("r0", START))], timestamp_ms=MS)

    with running(engine, PLAN, settings(kafka, topic, feedback=beside, feedback_wait=3600.0)):
        until(lambda: positions(engine, topic) == {0: 1})
        kafka.write(topic, [line(request("r1", START + 1))], timestamp_ms=MS + 1_000)
        until(lambda: positions(engine, topic) == {0: 2})
        until(lambda: positions(engine, beside) == {0: 3})  # both ends were seen: the test's clock is years later

    seal_all(engine, PLAN)
    assert counted(engine, "feedback")["down"] == 1
    assert [row[2] for row in quarantined(engine)] == ["unmatched_feedback"]


def test_a_partition_that_was_read_to_its_end_holds_up_no_sealing(kafka: Kafka, tmp_path: Path) -> None:
    topic, engine = kafka.topic(2), store(tmp_path)
    kafka.write(topic, [line(request("r0", START))], timestamp_ms=MS)

    with running(engine, PLAN, settings(kafka, topic)):
        until(lambda: positions(engine, topic) == {0: 1, 1: 0})
        until(lambda: min(row.watermark for row in rows_of(engine, t.position)) > MS + 10**9)
