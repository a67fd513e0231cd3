"""A log spread over partitions as its keys would have it, and the facts of an undisturbed reading of them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import xxhash
from sqlalchemy.engine import Engine

from monitor.plan import Plan
from services.runtime import Ingestion
from services.store.offsets import Partition, register_partitions, stands
from services.stream.fetched import Message
from services.stream.lane import Lane
from services.stream.rejects import RejectLimit
from tests.support.events import START, feedback, line, request, score
from tests.support.stores import ListSource, clock, everything_of, seal_all, store

TALKS = 16
STEP = 1_500
"""Milliseconds between the arrivals of two lines of a random log, on average."""


def arrivals(log: Sequence[bytes]) -> list[int]:
    """A stamp for each line of a random log, about when it was written."""
    return [int(START * 1000) + place * STEP for place in range(len(log))]


def memorable_log(size: int) -> list[bytes]:
    """A log in which every line but a few depends on lines shortly before it: copies, corrections, feedback, scores."""
    made: list[bytes] = []
    for place in range(size):
        number, kind = divmod(place, 4)
        now = START + place * STEP / 1000
        talk, of = f"c{number % TALKS}", f"r{number - 2}"
        if kind == 0 or number < 5:
            prompt = [{"role": "user", "content": f"where is my parcel with the red shoes of talk {talk}"}]
            made.append(
                line(request(f"r{number}-{kind}", now, conversation=talk, messages=prompt, turn=1 + number // TALKS))
            )
        elif kind == 1:
            made.append(made[-5])
        elif kind == 2:
            made.append(line(feedback(f"f{place}", f"{of}-0", now, conversation=f"c{(number - 2) % TALKS}")))
        else:
            made.append(line(score(f"s{place}", f"{of}-0", now, conversation=f"c{(number - 2) % TALKS}")))
    return made


def key_of(body: bytes) -> bytes:
    """The key that its producer would give it: the conversation, else the request; garbage has none."""
    try:
        said = json.loads(body)
        return str(said.get("conversation") or said.get("request") or said["id"]).encode()
    except (ValueError, AttributeError, KeyError, TypeError):
        return b""


def number_of(key: bytes, partitions: int) -> int:
    """The partition of a key."""
    return xxhash.xxh3_64_intdigest(key) % partitions


def parted(log: Sequence[bytes], number: int) -> list[list[Message]]:
    """The partitions of a log, offsets counted in each. What has one key lies in one of them."""
    parts: list[list[Message]] = [[] for _ in range(number)]
    for body, stamp in zip(log, arrivals(log), strict=True):
        key = key_of(body)
        part = parts[number_of(key, number)]
        part.append(Message(len(part), stamp, key, body))
    return parts


def source(number: int, topic: str = "requests") -> str:
    """The name of a partition as a source."""
    return f"kafka:c/{topic}/{number}"


def partition(number: int, count: int, topic: str = "requests") -> Partition:
    """A partition as its log shows it."""
    return Partition(source(number, topic), f"id-of-{topic}", count, 0)


def calm(folder: Path, plan: Plan, parts: Sequence[Sequence[Message]], name: str = "calm") -> dict[str, Any]:
    """All that comes of partitions that are read one by one, each as one run, each with its own memory."""
    engine = store(folder, name)
    for number, part in enumerate(parts):
        only = (source(number),)
        log = [message.value for message in part]
        stamps = [message.stamp for message in part]
        listed = ListSource(log, name=source(number), arrivals=stamps, drains=False)
        Ingestion(engine, plan, clock, only=only).read(listed)
    return outcome(engine, plan)


def outcome(engine: Engine, plan: Plan) -> dict[str, Any]:
    """What has to be equal however it was read: all but the positions, which say who read."""
    seal_all(engine, plan)
    return {name: rows for name, rows in everything_of(engine).items() if name != "position"}


def without_names(found: dict[str, Any]) -> dict[str, Any]:
    """Of what is in quarantine all but the source's name, which says whose cluster it was."""
    named = [(name.rsplit("/", 1)[1], *rest) for name, *rest in found["quarantine"]]
    return found | {"quarantine": sorted(named)}


class Holder:
    """A worker's hold of some lanes of one topic, without Kafka: `take` reads on where the database stands."""

    def __init__(self, engine: Engine, plan: Plan, parts: Sequence[Sequence[Message]]) -> None:
        self._engine = engine
        self._parts = parts
        self.partitions = [partition(number, len(parts)) for number in range(len(parts))]
        register_partitions(engine, self.partitions)
        self.lanes = [Lane(engine, plan, clock, (one.source,), RejectLimit(0)) for one in self.partitions]

    def place(self, number: int) -> None:
        """What a worker does when a partition becomes its own."""
        one = self.partitions[number]
        self.lanes[number].place({one.source: one}, stands(self._engine, [one.source]))

    def take(self, number: int, most: int) -> bool:
        """Takes the next messages; False at the end."""
        name, lane = source(number), self.lanes[number]
        start = lane.next(name)
        messages = self._parts[number][start : start + most]
        if not messages:
            return False
        lane.take(name, start + len(messages), messages)
        return True
