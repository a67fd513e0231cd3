"""What the worker may rely on of the consumer, against a real broker."""

from __future__ import annotations

import time
import uuid
from typing import Any

import pytest
from aiokafka.structs import TopicPartition

from services.stream.settings import StreamSettings
from tests.support.kafka import Kafka
from tests.support.streaming import Listener, driving, until

pytestmark = pytest.mark.kafka


def settings(kafka: Kafka, topic: str, **given: Any) -> StreamSettings:
    """A group of its own, which notices soon that a member is gone."""
    whole: dict[str, Any] = {"group": f"g-{uuid.uuid4().hex[:8]}", "session_timeout": 6.0}
    return StreamSettings(kafka.bootstrap, topic, **whole | given)


def numbered(first: int, end: int) -> list[bytes]:
    return [b"%d" % number for number in range(first, end)]


def test_reading_begins_at_the_stored_position_whatever_kafka_has_noted(kafka: Kafka) -> None:
    topic = kafka.topic()
    kafka.write(topic, numbered(0, 20))
    group, listener = settings(kafka, topic), Listener(at=7)

    with driving(group, listener) as first:
        until(lambda: len(listener.values(topic)) == 13)
        first.do(first.app.consumer.note({TopicPartition(topic, 0): 20}))
    again = Listener(at=3)
    with driving(group, again):
        until(lambda: len(again.values(topic)) == 17)

    assert listener.values(topic) == numbered(7, 20)
    assert again.values(topic) == numbered(3, 20)
    assert again.runs[0].start == 3


def test_runs_lie_end_to_end_over_transactions_that_were_given_up(kafka: Kafka) -> None:
    topic = kafka.topic()
    kafka.write(topic, numbered(0, 3))
    kafka.write_in_transaction(topic, [b"lost", b"lost"], commit=False)
    kafka.write_in_transaction(topic, numbered(3, 6), commit=True)
    kafka.write_in_transaction(topic, [b"lost"], commit=False)
    listener = Listener()

    with driving(settings(kafka, topic), listener):
        until(lambda: listener.runs and listener.runs[-1].end == kafka.end(topic))

    assert listener.values(topic) == numbered(0, 6)
    assert kafka.end(topic) == 6 + 3 + 3  # two given up and one; a mark each
    assert [run.start for run in listener.runs] == [0, *(run.end for run in listener.runs[:-1])]


def test_runs_lie_end_to_end_over_what_compaction_took_away(kafka: Kafka) -> None:
    topic = kafka.topic(cleanup_policy="compact", segment_ms="100", min_cleanable_dirty_ratio="0.01")
    kafka.write(topic, [(b"k", b"%d" % number) for number in range(50)])
    time.sleep(0.3)
    kafka.write(topic, [(b"other", b"end")])  # a new segment, so that the old one may be compacted
    until(lambda: kafka.held(topic) < 51)
    listener = Listener()

    with driving(settings(kafka, topic), listener):
        until(lambda: listener.runs and listener.runs[-1].end == 51)

    assert listener.values(topic) == [b"49", b"end"]
    assert listener.runs[0].start == 0
    assert [run.start for run in listener.runs] == [0, *(run.end for run in listener.runs[:-1])]


def test_two_workers_share_the_numbers_and_each_has_both_topics_of_its_numbers(kafka: Kafka) -> None:
    topic, beside = kafka.topic(4), kafka.topic(4, name="feedback")
    for number in range(4):
        kafka.write(topic, [b"r%d" % number], number)
        kafka.write(beside, [b"f%d" % number], number)
    group = settings(kafka, topic, feedback=beside)
    one, other = Listener(), Listener()

    with driving(group, one):
        until(lambda: len(one.runs) == 8)
        with driving(group, other):
            until(lambda: len(other.runs) >= 4 and len(one.asked) >= 2 and len(one.asked[-1][1]) == 4)
            ours, theirs = one.asked[-1][1], other.asked[-1][1]
        until(lambda: len(one.asked[-1][1]) == 8)

    assert ours | theirs == {TopicPartition(name, number) for name in (topic, beside) for number in range(4)}
    assert not ours & theirs
    for mine in (ours, theirs):
        assert {tp.partition for tp in mine if tp.topic == topic} == {tp.partition for tp in mine if tp.topic == beside}
    assert one.released >= 2  # before each new share-out, all is let go


def test_a_run_that_a_suspension_loses_shows_as_a_gap_and_comes_again_after_a_seek(kafka: Kafka) -> None:
    topic = kafka.topic()
    listener = Listener()

    with driving(settings(kafka, topic), listener) as app:
        consumer = app.app.consumer

        async def flow(*, on: bool) -> None:
            (consumer.resume_flow if on else consumer.stop_flow)()

        until(lambda: listener.asked)
        written = 0
        while not _lost(listener) and written < 100:  # lost is what a fetch that is under way brings meanwhile
            time.sleep(0.1)
            app.do(flow(on=False))
            kafka.write(topic, numbered(written, written + 1))
            time.sleep(0.2)
            app.do(flow(on=True))
            kafka.write(topic, numbered(written + 1, written + 2))
            written += 2
            until(lambda end=written: consumer.reached(TopicPartition(topic, 0)) == end)
            time.sleep(0.1)
        assert _lost(listener)

        listener.runs.clear()
        app.do(consumer.place({TopicPartition(topic, 0)}))
        until(lambda: listener.runs and listener.runs[-1].end == written)

    assert listener.values(topic) == numbered(0, written)
    assert {run.seek for run in listener.runs} == {2}


def _lost(listener: Listener) -> list[int]:
    """Where runs begin that do not go on where the one before ended."""
    ends = [0, *(run.end for run in listener.runs)]
    return [run.start for run, end in zip(listener.runs, ends, strict=False) if run.start != end]


def test_nothing_comes_of_a_partition_whose_seek_failed_until_it_is_placed(kafka: Kafka) -> None:
    topic = kafka.topic(2)
    for number in range(2):
        kafka.write(topic, numbered(0, 5), number)
    listener = Listener(at={TopicPartition(topic, 1): 2})

    with driving(settings(kafka, topic), listener) as app:
        until(lambda: len(listener.values(topic, 1)) == 3)
        time.sleep(1.0)
        assert listener.of(topic, 0) == []
        assert app.app.consumer.unplaced == {TopicPartition(topic, 0)}

        listener.at = 1
        app.do(app.app.consumer.place(app.app.consumer.unplaced))
        until(lambda: len(listener.values(topic, 0)) == 4)

    assert listener.values(topic, 0) == numbered(1, 5)
    assert listener.values(topic, 1) == numbered(2, 5)


@pytest.mark.parametrize("position", [2, 90])
def test_a_position_outside_the_log_is_reset_neither_to_its_beginning_nor_to_its_end(
    kafka: Kafka, position: int
) -> None:
    topic = kafka.topic()
    kafka.write(topic, numbered(0, 20))
    kafka.delete_before(topic, 10)
    listener = Listener(at=position)

    with driving(settings(kafka, topic), listener) as app:
        until(lambda: len(listener.asked) == 1 and app.app.consumer.unplaced)
        time.sleep(1.0)

        assert listener.runs == []
        assert app.app.consumer.unplaced == {TopicPartition(topic, 0)}


def test_what_is_held_back_waits_and_the_others_come(kafka: Kafka) -> None:
    topic, beside = kafka.topic(), kafka.topic(name="feedback")
    listener = Listener()

    with driving(settings(kafka, topic, feedback=beside), listener) as app:
        until(lambda: listener.asked)
        app.app.consumer.hold_back(frozenset({TopicPartition(beside, 0)}))
        time.sleep(1.2)  # the fetch that is under way still asks for all
        kafka.write(beside, [b"later"])
        kafka.write(topic, [b"now"])
        until(lambda: listener.values(topic) == [b"now"])
        time.sleep(0.5)
        assert listener.of(beside) == []
        app.app.consumer.hold_back(frozenset())
        until(lambda: listener.values(beside) == [b"later"])


def test_a_member_that_dies_leaves_its_partitions_to_the_other(kafka: Kafka) -> None:
    topic = kafka.topic(2)
    group = settings(kafka, topic)
    one, other = Listener(), Listener()

    with driving(group, one):
        until(lambda: one.asked and len(one.asked[-1][1]) == 2)
        with driving(group, other):
            until(lambda: other.asked and len(other.asked[-1][1]) == 1)
        until(lambda: len(one.asked[-1][1]) == 2)
        for number in range(2):
            kafka.write(topic, [b"after"], number)
        until(lambda: len(one.values(topic, 0)) == 1 and len(one.values(topic, 1)) == 1)
