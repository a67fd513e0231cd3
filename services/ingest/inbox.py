"""What came in by HTTP as a source: position = inbox row id, arrival = the stamp of its durable write."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from sqlalchemy.engine import Engine

from monitor.run import Run
from services.store.inbox import read

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
                rows = read(connection, offset - 1, RUN_RECORDS)
            end = rows[-1][0] + 1 if rows else offset
            drained = len(rows) < RUN_RECORDS
            yield Run(
                source=self.name,
                incarnation=self.incarnation,
                start=offset,
                end=end,
                positions=[name for name, _, _ in rows],
                records=[body for _, _, body in rows],
                clock=self.clock(),
                arrivals=[stamp for _, stamp, _ in rows],
                drained=drained,
            )
            if drained:
                return
            offset = end

    def close(self) -> None:
        """Nothing to give back."""
