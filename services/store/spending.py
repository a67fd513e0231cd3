"""What arms behind servers have spent, by UTC's days: one row an arm and day, which every worker sees."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from services.store import tables as t
from services.store.bulk import insert_new
from services.store.commit import writing

_DAY = 86_400_000


class Spending:
    """The table as the shadow's backends see it. `clock` is the store's, in milliseconds.

    What is reserved is spent at once and given back later: a worker that is killed in between has spent it.
    """

    def __init__(self, engine: Engine, clock: Callable[[], int]) -> None:
        self.engine = engine
        self.clock = clock

    def reserve(
        self, arm: str, tokens: int, micros: int, *, daily_tokens: float, daily_micros: float
    ) -> tuple[int, int, int]:
        """Today, and of the wanted tokens and millionths as many as the day's limits leave."""
        day = self.clock() // _DAY
        with writing(self.engine) as connection, connection.begin():
            spent = _row(connection, arm, day)
            granted = (
                int(max(0, min(tokens, daily_tokens - spent.tokens))),
                int(max(0, min(micros, daily_micros - spent.micros))),
            )
            _add(connection, arm, day, *granted)
        return day, *granted

    def give_back(self, arm: str, day: int, tokens: int, micros: int) -> None:
        """Takes back what was not used of a day's reservation."""
        with writing(self.engine) as connection, connection.begin():
            _add(connection, arm, day, -tokens, -micros)

    def spent(self, arm: str) -> tuple[int, int]:
        """Today's tokens and millionths, what is reserved among them."""
        with writing(self.engine) as connection, connection.begin():
            row = _row(connection, arm, self.clock() // _DAY)
        return row.tokens, row.micros


def _row(connection: Connection, arm: str, day: int) -> Any:
    """The row of a day, locked."""
    insert_new(connection, t.spending, [{"arm": arm, "day": day, "tokens": 0, "micros": 0}])
    found = sa.select(t.spending).where(t.spending.c.arm == arm, t.spending.c.day == day)
    return connection.execute(found.with_for_update()).one()


def _add(connection: Connection, arm: str, day: int, tokens: int, micros: int) -> None:
    row = sa.update(t.spending).where(t.spending.c.arm == arm, t.spending.c.day == day)
    more = {"tokens": t.spending.c.tokens + tokens, "micros": t.spending.c.micros + micros}
    connection.execute(row.values(more))
