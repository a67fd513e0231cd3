"""Real stores for tests, on either database, made by Alembic; sources of given run sizes; and what a store holds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, ClassVar

import sqlalchemy as sa
from sqlalchemy.engine import Engine

from monitor.facts import decode_layout, unpack_counts
from monitor.model import Decision, Population, Verdict
from monitor.plan import Plan
from monitor.run import Run
from monitor.watch import Group, Watch
from services.evaluate import Evaluator
from services.runtime import Ingestion, Summary
from services.store import tables as t
from services.store.engine import open_engine, upgrade
from services.store.sealing import seal
from tests.support import postgres
from tests.support.events import CLOCK

FactKey = tuple[str, str, str, str, str, str, int, int]
"""Deployment, variant, slice, signal, definition, population, level, bucket."""
Facts = dict[FactKey, bytes]


def clock() -> int:
    """A clock that stands still, later than every event."""
    return CLOCK


@cache
def _template() -> bytes:
    """An empty store of the newest schema, made once by the real migrations."""
    with TemporaryDirectory() as folder:
        file = Path(folder) / "store.db"
        engine = open_engine(f"sqlite:///{file}")
        upgrade(engine)
        with engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
        engine.dispose()
        return file.read_bytes()


class Kept:
    """Where `store` puts its stores: in files, or in databases that last as long as a test."""

    on_postgres = False
    engines: ClassVar[list[Engine]] = []


@contextmanager
def kept_in(database: str) -> Iterator[None]:
    """Lets `store` make stores on `sqlite` or `postgresql` inside the block; takes the latter away at its end."""
    Kept.on_postgres = database == "postgresql"
    try:
        yield
    finally:
        Kept.on_postgres = False
        while Kept.engines:
            engine = Kept.engines.pop()
            engine.dispose()
            postgres.drop(url_of(engine))


def store(folder: Path, name: str = "store") -> Engine:
    """An empty store of its own."""
    if Kept.on_postgres:
        engine = open_engine(postgres.create())
        Kept.engines.append(engine)
        return engine
    file = folder / f"{name}.db"
    file.write_bytes(_template())
    return open_engine(f"sqlite:///{file}")


def url_of(engine: Engine) -> str:
    """The URL of a store, for another process."""
    return engine.url.render_as_string(hide_password=False)


class ListSource:
    """A log in memory as a source: position = index of the line; `size` lines a run, or all at once.

    `arrivals` are arrival stamps in milliseconds, one a line. `end` is where the log ends for now.
    """

    def __init__(
        self,
        records: Sequence[bytes],
        *,
        size: int | None = None,
        name: str = "log",
        clock: Callable[[], int] = clock,
        arrivals: Sequence[int] | None = None,
        drains: bool = True,
    ) -> None:
        self.records = records
        self.size = size or max(1, len(records))
        self.name = name
        self.incarnation = name
        self.clock = clock
        self.arrivals = arrivals
        self.drains = drains

    def check(self, offset: int, mark: str) -> None:
        """Nothing is ever cut."""

    def runs(self, offset: int) -> Iterator[Run]:
        """Runs of `size` lines to the end."""
        while True:
            end = min(offset + self.size, len(self.records))
            yield Run(
                source=self.name,
                incarnation=self.incarnation,
                start=offset,
                end=end,
                positions=range(offset, end),
                records=self.records[offset:end],
                clock=self.clock(),
                arrivals=None if self.arrivals is None else self.arrivals[offset:end],
                drained=self.drains and end == len(self.records),
            )
            if end == len(self.records):
                return
            offset = end

    def close(self) -> None:
        """Nothing to give back."""


def take(engine: Engine, plan: Plan, source: ListSource, *, finish: bool = True) -> Summary:
    """Takes everything a source holds, by a process that starts now."""
    ingestion = Ingestion(engine, plan, clock)
    summary = ingestion.read(source)
    if finish:
        ingestion.finish(source)
    return summary


def seal_all(engine: Engine, plan: Plan, *, everything: bool = True, now: int = CLOCK) -> dict[str, dict[Group, int]]:
    """Seals every deployment of the plan; the first open bucket of each group, by deployment."""
    return {name: seal(engine, Watch(name, plan), now, everything=everything) for name in plan.deployments}


def sealed_facts(engine: Engine) -> Facts:
    """All sealed rows with their packed counts: equal facts are equal bytes."""
    with engine.connect() as connection:
        rows = connection.execute(sa.select(t.fact).order_by(*t.fact.primary_key.columns)).all()
    return {tuple(row)[:8]: row.counts for row in rows}  # type: ignore[misc]


def counted(
    engine: Engine,
    signal: str,
    *,
    slice_name: str = "all",
    population: Population = Population.UNIT,
    variant: str | None = None,
    bucket: int | None = None,
) -> Counter[str]:
    """Sealed counts of a signal by the names of their cells, over all buckets unless one is given."""
    found: Counter[str] = Counter()
    with engine.connect() as connection:
        bodies = connection.scalars(sa.select(t.layout.c.body)).all()
        cells = {d.digest: d.cells for body in bodies for d in decode_layout(body).definitions}
        where = [t.fact.c.signal == signal, t.fact.c.slice == slice_name, t.fact.c.population == str(population)]
        where += [t.fact.c.variant == variant] if variant is not None else []
        where += [t.fact.c.bucket == bucket] if bucket is not None else []
        for row in connection.execute(sa.select(t.fact).where(*where)):
            counts = unpack_counts(row.counts)
            names = cells[row.definition.split(".")[0]]
            found.update({names[i]: int(counts[i]) for i in counts.nonzero()[0]})
    return found


def quarantined(engine: Engine) -> list[tuple[str, int, str, str]]:
    """What was kept aside, as (source, position, reason, detail) in the order of the log."""
    q = t.quarantine.c
    with engine.connect() as connection:
        rows = connection.execute(sa.select(q.source, q.position, q.reason, q.detail).order_by(q.source, q.position))
        return [tuple(row) for row in rows]  # type: ignore[misc]


def everything_of(engine: Engine) -> Mapping[str, Any]:
    """All that a law compares: sealed facts, what is in quarantine, pairs, the queue, open joins and positions."""
    with engine.connect() as connection:

        def rows(table: sa.Table, *dropped: str) -> list[tuple[Any, ...]]:
            columns = [column for column in table.c if column.name not in ("id", "at", "expires", *dropped)]
            return sorted((tuple(row) for row in connection.execute(sa.select(*columns))), key=repr)

        return {
            "facts": sealed_facts(engine),
            "quarantine": quarantined(engine),
            "pair": rows(t.pair),
            "arm": rows(t.arm),
            "queue": rows(t.queue),
            "pair_text": rows(t.pair_text),
            "open_join": rows(t.open_join, "source"),
            "position": rows(t.position),
        }


def rows_of(engine: Engine, table: sa.Table) -> list[Any]:
    """Every row of a table."""
    with engine.connect() as connection:
        return list(connection.execute(sa.select(table)))


def watermark(engine: Engine, source: str = "log") -> int:
    """The stored watermark of a source, in milliseconds."""
    with engine.connect() as connection:
        return int(connection.scalar(sa.select(t.position.c.watermark).where(t.position.c.source == source)) or 0)


def look(engine: Engine, plan: Plan, variant: str, *, as_of: float | None = None) -> Verdict:
    """The verdict that a new evaluator writes about a variant, with everything sealed unless a time is given."""
    verdicts = Evaluator(engine, plan, clock).look(as_of=as_of, everything=as_of is None)
    return next(verdict for verdict in verdicts if verdict.variant == variant)


def decisions(engine: Engine, variant: str) -> list[Decision]:
    """What the ledger says of a variant, oldest look first."""
    wanted = sa.select(t.look.c.decision).where(t.look.c.variant == variant).order_by(t.look.c.id)
    with engine.connect() as connection:
        return [Decision(decision) for decision in connection.scalars(wanted)]
