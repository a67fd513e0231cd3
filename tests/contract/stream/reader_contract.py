"""What a worker may rely on of what brings it runs. Subclass `ReaderContract` and give a fixture `log`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any, Protocol

import pytest
from aiokafka.structs import TopicPartition

from tests.support.streaming import Listener


class Reading(Protocol):
    """A reader that runs. `place` asks for all at once, and returns when all have been answered."""

    @property
    def unplaced(self) -> set[TopicPartition]: ...

    def reached(self, partition: TopicPartition) -> int | None: ...

    def place(self, *partitions: set[TopicPartition]) -> None: ...

    def note(self, offsets: Mapping[TopicPartition, int]) -> None: ...

    def hold_back(self, partitions: frozenset[TopicPartition]) -> None: ...

    def flow(self, *, on: bool) -> None: ...


class Log(Protocol):
    """A log with groups of readers."""

    def topic(self, partitions: int = 1, name: str = "") -> str: ...

    def write(self, topic: str, values: list[bytes], partition: int = 0) -> None: ...

    def delete_before(self, topic: str, offset: int) -> None: ...

    def group(self, topic: str, feedback: str | None = None) -> Any: ...

    def reading(self, group: Any, listener: Listener) -> AbstractContextManager[Reading]: ...

    def until(self, holds: Callable[[], object]) -> None: ...

    def rest(self, seconds: float) -> None: ...


def numbered(first: int, end: int) -> list[bytes]:
    return [b"%d" % number for number in range(first, end)]


def lost(listener: Listener) -> list[int]:
    """Where runs begin that do not go on where the one before ended."""
    ends = [0, *(run.end for run in listener.runs)]
    return [run.start for run, end in zip(listener.runs, ends, strict=False) if run.start != end]


class Forgetful(Listener):
    """Knows the place when it is asked the second time, and takes so long that it is asked again; then not any more."""

    async def places(self, partitions: set[TopicPartition], seek: int) -> Mapping[TopicPartition, int]:
        await super().places(partitions, seek)
        while len(self.asked) == 2:
            await asyncio.sleep(0.05)
        return dict.fromkeys(partitions, 0) if seek == 2 else {}


class ReaderContract:
    def test_reading_begins_at_the_stored_position_whatever_the_log_has_noted(self, log: Log) -> None:
        topic = log.topic()
        log.write(topic, numbered(0, 20))
        group, listener = log.group(topic), Listener(at=7)

        with log.reading(group, listener) as first:
            log.until(lambda: len(listener.values(topic)) == 13)
            first.note({TopicPartition(topic, 0): 20})
        again = Listener(at=3)
        with log.reading(group, again):
            log.until(lambda: len(again.values(topic)) == 17)

        assert listener.values(topic) == numbered(7, 20)
        assert again.values(topic) == numbered(3, 20)
        assert again.runs[0].start == 3

    def test_two_workers_share_the_numbers_and_each_has_both_topics_of_its_numbers(self, log: Log) -> None:
        topic, beside = log.topic(4), log.topic(4, "feedback")
        for number in range(4):
            log.write(topic, [b"r%d" % number], number)
            log.write(beside, [b"f%d" % number], number)
        group = log.group(topic, beside)
        one, other = Listener(), Listener()

        with log.reading(group, one):
            log.until(lambda: len(one.runs) == 8)
            with log.reading(group, other):
                log.until(lambda: len(other.runs) >= 4 and len(one.asked) >= 2 and len(one.asked[-1][1]) == 4)
                ours, theirs = one.asked[-1][1], other.asked[-1][1]
            log.until(lambda: len(one.asked[-1][1]) == 8)

        assert ours | theirs == {TopicPartition(name, number) for name in (topic, beside) for number in range(4)}
        assert not ours & theirs
        for mine in (ours, theirs):
            numbers = [{tp.partition for tp in mine if tp.topic == name} for name in (topic, beside)]
            assert numbers[0] == numbers[1]
        assert one.released >= 2  # before each new share-out, all is let go

    def test_a_run_that_a_suspension_loses_shows_as_a_gap_and_comes_again_after_a_seek(self, log: Log) -> None:
        topic = log.topic()
        listener = Listener()

        with log.reading(log.group(topic), listener) as reader:
            log.until(lambda: listener.asked)
            written = 0
            while not lost(listener) and written < 100:  # lost is what a fetch that is under way brings meanwhile
                log.rest(0.1)
                reader.flow(on=False)
                log.write(topic, numbered(written, written + 1))
                log.rest(0.2)
                reader.flow(on=True)
                log.write(topic, numbered(written + 1, written + 2))
                written += 2
                log.until(lambda end=written: reader.reached(TopicPartition(topic, 0)) == end)
                log.rest(0.1)
            assert lost(listener)

            listener.runs.clear()
            reader.place({TopicPartition(topic, 0)})
            log.until(lambda: listener.runs and listener.runs[-1].end == written)

        assert listener.values(topic) == numbered(0, written)
        assert {run.seek for run in listener.runs} == {2}

    def test_nothing_comes_of_a_partition_that_was_not_placed_until_it_is(self, log: Log) -> None:
        topic = log.topic(2)
        for number in range(2):
            log.write(topic, numbered(0, 5), number)
        listener = Listener(at={TopicPartition(topic, 1): 2})

        with log.reading(log.group(topic), listener) as reader:
            log.until(lambda: len(listener.values(topic, 1)) == 3)
            log.rest(1.0)
            assert listener.of(topic, 0) == []
            assert reader.unplaced == {TopicPartition(topic, 0)}

            listener.at = 1
            reader.place(reader.unplaced)
            log.until(lambda: len(listener.values(topic, 0)) == 4)

        assert listener.values(topic, 0) == numbered(1, 5)
        assert listener.values(topic, 1) == numbered(2, 5)

    def test_of_two_questions_at_once_only_the_later_s_answer_counts_also_if_it_is_none(self, log: Log) -> None:
        topic = log.topic()
        log.write(topic, numbered(0, 5))
        listener, mine = Forgetful(), TopicPartition(topic, 0)

        with log.reading(log.group(topic), listener) as reader:
            log.until(lambda: listener.asked)
            log.rest(0.5)
            reader.place({mine}, {mine})
            assert reader.unplaced == {mine}, "else nobody would ever ask again"
            log.rest(1.0)
            assert reader.unplaced == {mine}

    @pytest.mark.parametrize("position", [2, 90])
    def test_a_position_outside_the_log_is_reset_neither_to_its_beginning_nor_to_its_end(
        self, log: Log, position: int
    ) -> None:
        topic = log.topic()
        log.write(topic, numbered(0, 20))
        log.delete_before(topic, 10)
        listener = Listener(at=position)

        with log.reading(log.group(topic), listener) as reader:
            log.until(lambda: len(listener.asked) == 1 and reader.unplaced)
            log.rest(1.0)

            assert listener.runs == []
            assert reader.unplaced == {TopicPartition(topic, 0)}

    def test_what_is_held_back_waits_and_the_others_come(self, log: Log) -> None:
        topic, beside = log.topic(), log.topic(1, "feedback")
        listener = Listener()

        with log.reading(log.group(topic, beside), listener) as reader:
            log.until(lambda: listener.asked)
            reader.hold_back(frozenset({TopicPartition(beside, 0)}))
            log.rest(1.2)  # the fetch that is under way still asks for all
            log.write(beside, [b"later"])
            log.write(topic, [b"now"])
            log.until(lambda: listener.values(topic) == [b"now"])
            log.rest(0.5)
            assert listener.of(beside) == []
            reader.hold_back(frozenset())
            log.until(lambda: listener.values(beside) == [b"later"])

    def test_a_member_that_dies_leaves_its_partitions_to_the_other(self, log: Log) -> None:
        topic = log.topic(2)
        group = log.group(topic)
        one, other = Listener(), Listener()

        with log.reading(group, one):
            log.until(lambda: one.asked and len(one.asked[-1][1]) == 2)
            with log.reading(group, other):
                log.until(lambda: other.asked and len(other.asked[-1][1]) == 1)
            log.until(lambda: len(one.asked[-1][1]) == 2)
            for number in range(2):
                log.write(topic, [b"after"], number)
            log.until(lambda: len(one.values(topic, 0)) == 1 and len(one.values(topic, 1)) == 1)
