"""Questions to the fact table that cost a few index seeks, however many facts there are.

A planner left alone answers "which variants?" or "the newest bucket?" by reading all of a deployment. Each question
here fixes every column of the key before the one it asks for.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from services.store.tables import fact


@dataclass(frozen=True, slots=True)
class Key:
    """Which cells of the cube, over all definitions, levels and buckets."""

    deployment: str
    variant: str
    slice: str
    signal: str
    population: str


@dataclass(frozen=True, slots=True)
class Run:
    """Consecutive rows of one definition and level, with the ends of their buckets."""

    definition: str
    first: int
    last: int
    where: tuple[sa.ColumnElement[bool], ...]


def distinct(connection: sa.Connection, column: sa.ColumnElement[Any], *where: sa.ColumnElement[bool]) -> Iterator[Any]:
    """The distinct values of a key's column in ascending order, one seek each; `where` fixes the columns before it."""
    last = connection.scalar(sa.select(sa.func.min(column)).where(*where))
    while last is not None:
        yield last
        last = connection.scalar(sa.select(sa.func.min(column)).where(*where, column > last))


def runs(connection: sa.Connection, key: Key) -> list[Run]:
    """All runs of a key: mostly one, more where a definition changed or units were sampled at several levels."""
    before = tuple(fact.c[name] == getattr(key, name) for name in ("deployment", "variant", "slice", "signal"))
    found = []
    for definition in distinct(connection, fact.c.definition, *before):
        named = (*before, fact.c.definition == definition, fact.c.population == key.population)
        for level in distinct(connection, fact.c.level, *named):
            where = (*named, fact.c.level == level)
            found.append(Run(definition, *_ends(connection, where), where))
    return found


def _ends(connection: sa.Connection, where: tuple[sa.ColumnElement[bool], ...]) -> tuple[int, int]:
    low, high = (connection.scalar(sa.select(end(fact.c.bucket)).where(*where)) for end in (sa.func.min, sa.func.max))
    return int(low or 0), int(high or 0)
