"""Positions of a topic's partitions: where each begins, and who may move it. They are the log's own offsets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from services.errors import FenceError, GapError
from services.gap import Gap, Reason
from services.store.commit import new_position, writing
from services.store.tables import position


@dataclass(frozen=True, slots=True)
class Partition:
    """A partition as the log shows it: of which topic (its id), of how many partitions, and its first offset."""

    source: str
    topic: str
    count: int
    first: int

    @property
    def incarnation(self) -> str:
        """What tells logs of one name apart. A topic that gets more partitions is another one: keys move."""
        return f"{self.topic}/{self.count}"


@dataclass(frozen=True, slots=True)
class Stand:
    """How far a source was read, and its watermark: two equal ones have equal memories behind them."""

    next: int
    watermark: int


def register_partitions(engine: Engine, partitions: Sequence[Partition]) -> dict[str, GapError]:
    """Makes sure that all of them hold up sealing, new ones at their first offset, in one transaction.

    Where a topic has grown, its partitions go on at their positions as a new incarnation, and no worker that does not
    know of it moves them any more. `FenceError` if we are the one that does not know. What is another topic under the
    same name is left as it is: the errors are returned, by source.
    """
    refused = {}
    with writing(engine) as connection, connection.begin():
        known = _known(connection, [one.source for one in partitions])
        fresh = []
        for one in partitions:
            row = known.get(one.source)
            if row is None:
                fresh.append(new_position(one.source, one.incarnation, one.first))
            elif row.incarnation != one.incarnation or row.closed:
                problem = _adopt(connection, one, row)
                if problem is not None:
                    refused[one.source] = problem
        if fresh:
            connection.execute(sa.insert(position), fresh)
    return refused


def stands(engine: Engine, sources: Sequence[str]) -> dict[str, Stand]:
    """Where sources stand now."""
    with engine.connect() as connection:
        return {name: Stand(int(r.next), int(r.watermark)) for name, r in _known(connection, sources).items()}


def move(engine: Engine, partition: Partition, to: int) -> None:
    """Goes on at another offset, whatever lies between: the gap is on record before."""
    values = {"next": to, "incarnation": partition.incarnation, "closed": False}
    with writing(engine) as connection, connection.begin():
        connection.execute(sa.update(position).where(position.c.source == partition.source).values(values))


def _known(connection: Connection, sources: Sequence[str]) -> dict[str, Any]:
    p = position.c
    wanted = sa.select(p.source, p.incarnation, p.next, p.watermark, p.closed).where(p.source.in_(sources))
    return {row.source: row for row in connection.execute(wanted)}


def _adopt(connection: Connection, one: Partition, row: Any) -> GapError | None:
    topic, _, count = row.incarnation.rpartition("/")
    if topic != one.topic:
        gap = Gap(one.source, int(row.next), None, Reason.REPLACED)
        return GapError(f"{one.source} is another topic than the one that was read up to offset {row.next:,}", gap)
    if int(count) > one.count:
        raise FenceError(f"{one.source} has {count} partitions beside it, not {one.count}")
    same = position.c.source == one.source, position.c.incarnation == row.incarnation
    connection.execute(sa.update(position).where(*same).values(incarnation=one.incarnation, closed=False))
    return None
