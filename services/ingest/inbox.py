"""What came in by HTTP as a source: position = inbox row id, arrival = the stamp of its durable write."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import sqlalchemy as sa
from sqlalchemy.engine import Engine

from monitor.run import Run
from services.store import tables as t

RUN_RECORDS = 4_096


class Inbox:
    """The inbox table; rows are deleted in the transaction that takes them."""

    name = "inbox"
    incarnation = "inbox"

    def __init__(self, engine: Engine, clock: Callable[[], int]) -> None:
        self.engine = engine
        self.clock = clock

    def check(self, offset: int, mark: str) -> None:
        """The inbox cannot be cut: what is deleted was taken."""

    def runs(self, offset: int) -> Iterator[Run]:
        """Runs from `offset` to what is there now; the last one is drained, and may be empty."""
        while True:
            with self.engine.connect() as connection:
                wanted = sa.select(t.inbox).where(t.inbox.c.id >= offset).order_by(t.inbox.c.id).limit(RUN_RECORDS)
                rows = connection.execute(wanted).all()
            end = rows[-1].id + 1 if rows else offset
            drained = len(rows) < RUN_RECORDS
            yield Run(
                source=self.name,
                incarnation=self.incarnation,
                start=offset,
                end=end,
                positions=[row.id for row in rows],
                records=[row.body for row in rows],
                clock=self.clock(),
                arrivals=[row.received_at for row in rows],
                drained=drained,
            )
            if drained:
                return
            offset = end

    def close(self) -> None:
        """Nothing to give back."""
