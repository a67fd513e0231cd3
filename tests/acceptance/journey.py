"""A log's way to its verdict: JSONL file → Ingestion → SQLite → Evaluator → Verdict, as the commands go it."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

from sqlalchemy.engine import Engine

from monitor.model import Check, Finding, Verdict
from monitor.plan import Plan
from monitor.signals.refusal import Refusal, RefusalWeights
from monitor.state import Deployment, State
from monitor.watch import Watch
from services.evaluate import Evaluator
from services.ingest.jsonl import JsonlFile
from services.runtime import Ingestion
from services.store import alert_rows
from services.store.alert_rows import StoredAlert
from services.store.engine import open_engine, upgrade


def clock() -> int:
    """This machine's clock in milliseconds, as the commands read it."""
    return time.time_ns() // 1_000_000


def write(path: Path, events: Iterable[dict[str, object]]) -> Path:
    """The events as a JSONL file."""
    path.write_text("".join(json.dumps(event) + "\n" for event in events), encoding="utf-8")
    return path


class Judged(State):
    """The memory of a driver that watches one deployment with a classifier of one's own choice."""

    def __init__(self, watch: Watch) -> None:
        super().__init__(watch.plan)
        self._deployments[watch.name] = Deployment(watch)


class Journey:
    """One store. With `weights`, refusals are judged by that classifier instead of the shipped one."""

    def __init__(self, folder: Path, plan: Plan | None = None, *, deployment: str = "", weights: str = "") -> None:
        self.plan = plan or Plan()
        self.engine: Engine = open_engine(f"sqlite:///{folder / 'store.db'}")
        upgrade(self.engine)
        self.ingestion = Ingestion(self.engine, self.plan, clock)
        self.evaluator = Evaluator(self.engine, self.plan, clock)
        if weights:
            watch = Watch(deployment, self.plan, refusal=Refusal(RefusalWeights.load(weights)))
            self.ingestion._state = Judged(watch)
            self.evaluator._watches[deployment] = watch

    def take(self, log: Path) -> int:
        """Takes a whole log; returns how many events were accepted."""
        source = JsonlFile(log, clock)
        summary = self.ingestion.read(source)
        self.ingestion.finish(source)
        return summary.accepted

    def verdicts(self) -> dict[tuple[str, str], Verdict]:
        """The verdicts at the end of what was taken, by deployment and variant."""
        return {(v.deployment, v.variant): v for v in self.evaluator.look(everything=True)}

    def looks(self, times: Sequence[float]) -> list[Verdict]:
        """Every verdict that looks at these times give, one after the other."""
        return [verdict for time in times for verdict in self.evaluator.look(as_of=time, everything=True)]

    def alerts(self, deployment: str, variant: str) -> list[StoredAlert]:
        """Every alert that a variant has had."""
        with self.engine.connect() as connection:
            return alert_rows.of_variant(connection, deployment, variant)


def check(verdict: Verdict, signal: str, name: str = "all", direction: str = "less") -> Check:
    """The one check of a signal on a slice."""
    (found,) = [c for c in verdict.checks if (c.slice, c.signal, c.direction) == (name, signal, direction)]
    return found


def findings(verdict: Verdict, signal: str) -> list[Finding]:
    """What was found of a signal, on any slice."""
    return [finding for finding in verdict.findings if finding.signal == signal]
