"""The consumer group: who reads what. Its members learn of it one after the other, and a paused one not at all."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass, field
from typing import Final

from aiokafka.structs import TopicPartition

from tests.sim.loop import Loop, Process
from tests.sim.reader import MemoryReader

SESSION: Final = 2.5
"""Seconds of silence after which a member's partitions go to the others."""


@dataclass
class Member:
    """One reader in its process. `numbers` are those that it was given; `news` says that there are others."""

    process: Process
    reader: MemoryReader
    seen: float
    numbers: frozenset[int] = frozenset()
    after: float = 0.0
    news: asyncio.Event = field(default_factory=asyncio.Event)


class Group:
    """Shares out the numbers of the partitions, each with all topics of it."""

    def __init__(self, loop: Loop, draw: random.Random, topics: tuple[str, ...], partitions: int) -> None:
        self._loop = loop
        self._draw = draw
        self._topics = topics
        self._partitions = partitions
        self._members: list[Member] = []

    def join(self, process: Process, reader: MemoryReader) -> None:
        """Lets a reader take part until its process dies."""
        member = Member(process, reader, self._loop.time())
        self._members.append(member)
        self._loop.start(process, self._beat(member))
        self._loop.start(process, self._follow(member))
        self.share()

    def share(self, *, slowly: bool = False) -> None:
        """Shares out anew. Until a member has heard of it, it goes on with what it has."""
        live = [member for member in self._members if self._loop.time() - member.seen <= SESSION]
        turn = self._draw.randrange(len(live)) if live else 0
        for place, member in enumerate(live):
            mine = range((place + turn) % len(live), self._partitions, len(live))
            member.numbers, member.after = frozenset(mine), self._draw.choice((0.0, 0.3, 2.0 if slowly else 0.5))
            member.news.set()

    async def watch(self) -> None:
        """Notices for ever who has fallen silent."""
        while True:
            await asyncio.sleep(1.0)
            live = [m for m in self._members if m.process.alive and self._loop.time() - m.seen <= SESSION]
            if len(live) < len(self._members):
                self._members = live
                self.share()

    async def _beat(self, member: Member) -> None:
        while True:
            await asyncio.sleep(1.0)
            member.seen = self._loop.time()
            if member not in self._members:  # it was thought to be gone
                self._members.append(member)
                self.share()

    async def _follow(self, member: Member) -> None:
        while True:
            await member.news.wait()
            await asyncio.sleep(member.after)
            member.news.clear()
            wanted = {TopicPartition(topic, number) for topic in self._topics for number in member.numbers}
            await member.reader.assign(wanted)
