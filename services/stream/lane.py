"""Lane n: partition n of every topic that is read together, and the one memory that its records have in common.

The memory belongs to positions. As long as the database shows the same ones, it is what a worker that never left has;
where they differ, another worker has moved them, and the memory is rebuilt from what lies in the database.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import sqlalchemy as sa
from sqlalchemy.engine import Engine

from monitor.plan import Plan
from monitor.run import Batch, Run
from monitor.watch import Watch, Watching
from services.errors import FenceError, StoreError
from services.gap import Gap
from services.ports import Clock
from services.runtime import Ingestion
from services.store.offsets import Partition, Stand
from services.stream.fetched import Message
from services.stream.messages import Records, records_of
from services.stream.rejects import RejectLimit


class Lane:
    """One worker's hold of a lane. Used by one thread at a time."""

    def __init__(
        self,
        engine: Engine,
        plan: Plan,
        clock: Clock,
        sources: Sequence[str],
        rejects: RejectLimit,
        watching: Watching = Watch,
    ) -> None:
        self._ingestion = Ingestion(engine, plan, clock, watching, only=sources)
        self._clock = clock
        self._rejects = rejects
        self._stands: dict[str, Stand] = {}
        self._partitions: dict[str, Partition] = {}

    def place(self, partitions: Mapping[str, Partition], stands: Mapping[str, Stand]) -> None:
        """Takes note of where the database stands; forgets everything if that is not where our memory belongs."""
        if dict(stands) != self._stands:
            self._ingestion.forget()
        self._partitions, self._stands = dict(partitions), dict(stands)

    @property
    def is_placed(self) -> bool:
        """Whether its positions are known."""
        return bool(self._stands)

    def next(self, source: str) -> int:
        """The offset at which the next run of a source has to begin."""
        return self._stands[source].next

    def watermark(self, source: str) -> int:
        """How far a source has come in time."""
        return self._stands[source].watermark

    def take(
        self, source: str, end: int, messages: Sequence[Message], *, clock: int | None = None, drained: bool = False
    ) -> Batch:
        """Takes what lies between the position and `end`, in one transaction.

        `drained` says that the log ended there at `clock` or later. `FenceError`, and the memory is forgotten, if
        somebody else has moved the position; `StoreError` if the database cannot be used: then nothing has changed.
        """
        records = records_of(messages)
        run = Run(
            source=source,
            incarnation=self._partitions[source].incarnation,
            start=self.next(source),
            end=end,
            positions=range(len(records.bodies)),
            records=records.bodies,
            clock=self._clock() if clock is None else clock,
            arrivals=records.arrivals,
            drained=drained,
        )
        try:
            batch = self._ingestion.take(run, lambda batch: self._complete(batch, records))
        except FenceError:
            self._stands = {}
            raise
        except sa.exc.DBAPIError as error:
            self._ingestion.forget()
            raise StoreError(f"cannot use the database: {error.orig}") from None
        self._stands[source] = Stand(batch.end, batch.watermark)
        return batch

    def miss(self, gap: Gap) -> None:
        """Puts a gap on record."""
        self._ingestion.miss(gap)

    def _complete(self, batch: Batch, records: Records) -> None:
        self._rejects.see(batch, len(records.bodies))
        records.name_positions(batch)
