"""A throw-away store with the real pipeline around it: intake, queue, worker, sealing, evaluator."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Engine

from monitor.model import Event, Verdict
from monitor.plan import ArmRule, DeploymentRule, Plan
from monitor.wire import encode
from services.bootstrap import shadow_worker
from services.commands.options import clock as now
from services.evaluate import Evaluator
from services.ingest.jsonl import JsonlFile
from services.ports import Clock
from services.runtime import Ingestion
from services.store import tables as t
from services.store.engine import open_engine, upgrade

_IDLE = 0.1


@dataclass(frozen=True)
class Scratch:
    """One deployment under a plan of its own, in a folder that is gone afterwards."""

    folder: Path
    plan: Plan
    engine: Engine
    clock: Clock
    ingestion: Ingestion
    evaluator: Evaluator

    def take(self, events: Sequence[Event]) -> int:
        """Appends events to the log and takes them in; how many were accepted."""
        path = self.folder / "log.jsonl"
        with path.open("ab") as file:
            file.writelines(encode(event) + b"\n" for event in events)
        source = JsonlFile(path, self.clock)
        try:
            return self.ingestion.read(source).accepted
        finally:
            source.close()

    def replay(self, base: Path, known: Mapping[ArmRule, Any], patience: float) -> None:
        """Lets a shadow worker empty the queue; gives up when nothing has moved for `patience` seconds."""
        worker = shadow_worker(self.engine, self.plan, self.clock, base, "doctor", known)
        moved, before = time.monotonic(), -1
        while (left := self._open()) and time.monotonic() - moved < patience:
            if left != before:
                moved, before = time.monotonic(), left
            if worker.run_once() == 0:
                time.sleep(_IDLE)

    def look(self) -> dict[str, Verdict]:
        """Seals all that is there and looks; the new verdicts by variant."""
        return {verdict.variant: verdict for verdict in self.evaluator.look(everything=True)}

    def rows(self, table: sa.Table) -> list[Any]:
        """Every row of a table."""
        with self.engine.connect() as connection:
            return list(connection.execute(sa.select(table)))

    def _open(self) -> int:
        """How many arms of waiting pairs have no result yet, and how many attempts were spent on them."""
        return sum(1_000 - row.attempts for row in self.rows(t.queue))


@contextmanager
def scratch(name: str, rule: DeploymentRule, clock: Clock = now) -> Iterator[Scratch]:
    """A store for one deployment's rule, with a clock; gone at the end, with all texts."""
    plan = Plan(deployments={name: rule}, text="1d")
    with TemporaryDirectory(prefix="quantwatch-doctor-") as folder:
        engine = open_engine(f"sqlite:///{Path(folder) / 'scratch.db'}")
        try:
            upgrade(engine)
            ingestion, evaluator = Ingestion(engine, plan, clock), Evaluator(engine, plan, clock)
            yield Scratch(Path(folder), plan, engine, clock, ingestion, evaluator)
        finally:
            engine.dispose()
