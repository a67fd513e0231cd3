"""A log's way to its verdict: JSONL file → Ingestion → SQLite → Evaluator → Verdict, as the commands go it."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy.engine import Engine

from monitor.model import Check, Verdict
from monitor.plan import Plan
from monitor.series import Series
from monitor.signals.refusal import Refusal, RefusalWeights
from monitor.watch import Watch, Watching
from services.evaluate import Evaluator
from services.ingest.jsonl import JsonlFile
from services.runtime import Ingestion
from services.store import alert_rows
from services.store.alert_rows import StoredAlert
from services.store.engine import open_engine, upgrade
from services.store.facts import FactReader


def clock() -> int:
    """This machine's clock in milliseconds, as the commands read it."""
    return time.time_ns() // 1_000_000


def write(path: Path, events: Iterable[dict[str, Any]]) -> Path:
    """The events as a JSONL file, in the order of their times."""
    ordered = sorted(events, key=lambda event: event["time"])
    path.write_text("".join(json.dumps(event) + "\n" for event in ordered), encoding="utf-8")
    return path


class Journey:
    """One store on the way. With `weights`, the deployment's refusals are judged by that classifier."""

    def __init__(self, folder: Path, plan: Plan | None = None, *, weights: str = "") -> None:
        self.folder = folder
        self.plan = plan or Plan()
        self.engine: Engine = open_engine(f"sqlite:///{folder / 'store.db'}")
        upgrade(self.engine)
        watching: Watching = Watch
        if weights:
            watching = partial(Watch, refusal=Refusal(RefusalWeights.load(weights)))
        self.ingestion = Ingestion(self.engine, self.plan, clock, watching)
        self.evaluator = Evaluator(self.engine, self.plan, clock, watching=watching)

    def take(self, events: Iterable[dict[str, Any]]) -> int:
        """Takes the events as one log; returns how many were accepted."""
        source = JsonlFile(write(self.folder / "requests.jsonl", events), clock)
        summary = self.ingestion.read(source)
        self.ingestion.finish(source)
        return summary.accepted

    def look(self) -> dict[tuple[str, str], Verdict]:
        """The verdicts as of the end, by deployment and variant."""
        return {(v.deployment, v.variant): v for v in self.evaluator.look(everything=True)}

    def look_often(self, start: float, end: float, every: float = 600.0) -> list[Verdict]:
        """The verdicts of looks every ten minutes of the log's time, and one at its end."""
        times = [start + every * k for k in range(1, int((end - start) / every) + 1)]
        found = [verdict for time in times for verdict in self.evaluator.look(as_of=time, everything=True)]
        return [*found, *self.evaluator.look(everything=True)]

    def alerts(self, deployment: str, variant: str, signal: str) -> list[StoredAlert]:
        """Every alert of a signal that a variant has had, oldest first."""
        with self.engine.connect() as connection:
            stored = alert_rows.of_variant(connection, deployment, variant)
        return [s for s in reversed(stored) if s.finding.signal == signal]

    def pairs(self, deployment: str, variant: str, signal: str, name: str = "all") -> Series:
        """The sealed pair facts of a signal on a slice."""
        with self.engine.connect() as connection:
            facts = FactReader(Watch(deployment, self.plan)).variants(connection, cut=2**40)
        (found,) = [one for one in facts if one.variant == variant]
        return found.pairs[name, signal]


def check(verdict: Verdict, signal: str, name: str = "all", direction: str = "less") -> Check:
    """The one check of a signal on a slice."""
    (found,) = [c for c in verdict.checks if (c.slice, c.signal, c.direction) == (name, signal, direction)]
    return found
