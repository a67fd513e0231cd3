"""An application over a real database, and a store with a little of everything in it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import msgspec
import numpy as np
import pytest
import sqlalchemy as sa
from fastapi import FastAPI
from sqlalchemy.engine import Engine

from monitor.facts import Layout, pack_counts
from monitor.model import Check, Decision, Finding, Interval, Message, Output, QuantFormat, Recommendation, Verdict
from monitor.plan import DeploymentRule, Plan, SliceRule, VariantRule
from monitor.watch import Group, Watch
from services.api.app import create_app
from services.store import alerts, tables
from tests.support import stores

MARKER = "ZEBRA-7531-PLANTED"
NOW = 1_773_325_620.0
MINUTE = 60_000
BUCKET = int(NOW * 1000) // MINUTE
HARM = Interval(0.12, 0.08, 0.17)

PLAN = Plan(
    deployments={
        "chat": DeploymentRule(
            variants={
                "int4": VariantRule(QuantFormat("weight_only", 4, 128), cost=0.4),
                "org/int8": VariantRule(cost=0.6),
                "bf16": VariantRule(),
            },
            reference="bf16",
            slices=(SliceRule("json"), SliceRule("german", gates=False)),
        ),
        "search": DeploymentRule(variants={"bf16": VariantRule()}),
    }
)


class Client:
    """Asks the application as a peer would, one request at a time."""

    def __init__(self, app: FastAPI, token: str | None = None) -> None:
        self.app = app
        self.headers = {"authorization": f"Bearer {token}"} if token else {}

    def ask(self, method: str, path: str, **how: Any) -> httpx.Response:
        async def request() -> httpx.Response:
            transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
            async with httpx.AsyncClient(transport=transport, base_url="http://api", headers=self.headers) as http:
                return await http.request(method, path, **how)

        return asyncio.run(request())

    def get(self, path: str, **params: Any) -> Any:
        response = self.ask("GET", path, params=params)
        assert response.status_code == 200, response.text
        return response.json()

    def post(self, path: str, status: int = 200, **how: Any) -> Any:
        response = self.ask("POST", path, **how)
        assert response.status_code == status, response.text
        return response.json()


def make_finding(**changes: Any) -> Finding:
    given: dict[str, Any] = {
        "kind": "fail",
        "deployment": "chat",
        "variant": "int4",
        "slice": "json",
        "signal": "schema",
        "direction": "worse",
        "harm": HARM,
        "since": NOW - 600,
        "log_evidence": 9.0,
        "threshold": 7.0,
        "units": 400,
        "blame": None,
        "sentence": "schema got worse by 12.0 points on json.",
    }
    return Finding(**{**given, **changes})


def make_check(**changes: Any) -> Check:
    given: dict[str, Any] = {
        "deployment": "chat",
        "variant": "int4",
        "slice": "json",
        "signal": "schema",
        "direction": "worse",
        "decision": Decision.FAIL,
        "pairs": 400,
        "excluded": 0,
        "harm": HARM,
        "latest": HARM,
        "tolerance": 0.02,
        "log_evidence": 9.0,
        "threshold": 7.0,
        "log_all_clear": -2.0,
        "clear_threshold": 3.0,
        "since": NOW - 600,
        "needs_pairs": None,
        "needs_seconds": None,
        "reason": "over",
    }
    return Check(**{**given, **changes})


def make_verdict(**changes: Any) -> Verdict:
    given: dict[str, Any] = {
        "deployment": "chat",
        "variant": "int4",
        "decision": Decision.FAIL,
        "reason": "schema on json",
        "recommendation": Recommendation("roll_back", "worse", "org/int8", True),
        "as_of": NOW - 720,
        "sealed_until": NOW - 720,
        "stale": False,
        "coverage": {"units": 400},
        "checks": (make_check(),),
        "findings": (make_finding(),),
        "uncovered": ("german",),
        "worst": ("json",),
        "plan": "p1",
    }
    return Verdict(**{**given, **changes})


class Store:
    """Writes what the stream, the shadow and the evaluator would have written."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    def write(self, table: sa.Table, *rows: dict[str, Any]) -> None:
        with self.engine.connect().execution_options(writes=True) as connection:
            connection.execute(table.insert(), list(rows))
            connection.commit()

    def rows(self, table: sa.Table) -> list[Any]:
        with self.engine.connect() as connection:
            return list(connection.execute(sa.select(table)))

    def layout(self, group: Group = Group.LIVE) -> Layout:
        layout = Watch("chat", PLAN).layouts[group]
        if layout.digest not in {row.digest for row in self.rows(tables.layout)}:
            self.write(tables.layout, {"digest": layout.digest, "body": layout.encode()})
        return layout

    def fact(self, signal: str, cells: dict[str, int], bucket: int = BUCKET - 20, **key: Any) -> None:
        """A sealed row with these counts."""
        group = Group.PAIR if key.get("population") == "pair" else key.pop("group", Group.LIVE)
        layout = self.layout(group)
        names = [definition.signal for definition in layout.definitions]
        definition = layout.definitions[names.index(signal)]
        counts = np.zeros(len(definition.cells), dtype=np.int64)
        for cell, number in cells.items():
            counts[definition.cells.index(cell)] = number
        given = {"variant": "int4", "slice": "all", "population": "all", "level": 0, **key}
        part = [name for name, _ in layout.slices].index(given["slice"])
        series = layout.series(names.index(signal), part)
        row = {"deployment": "chat", "signal": signal, "definition": series, "bucket": bucket}
        self.write(tables.fact, {**given, **row, "counts": pack_counts(counts)})

    def traffic(self, variant: str, *buckets: int) -> None:
        """Requests of a variant, all of them units."""
        for bucket in buckets:
            for population in ("all", "unit"):
                self.fact("traffic", {"requests": 5}, bucket, variant=variant, population=population)

    def look(self, verdict: Verdict, at: float = NOW - 30) -> None:
        """A row of the ledger, whose cut-off follows from the verdict's time."""
        row = {
            "deployment": verdict.deployment,
            "variant": verdict.variant,
            "cutoff": int(verdict.as_of * 1000) // MINUTE,
            "plan": verdict.plan,
            "decision": str(verdict.decision),
            "verdict": msgspec.json.encode(verdict).decode(),
            "at": int(at * 1000),
        }
        self.write(tables.look, row)

    def apply(self, verdict: Verdict, at: float = NOW, **how: Any) -> list[str]:
        """What `alerts.apply` does, as words."""
        with self.engine.connect().execution_options(writes=True) as connection:
            done = alerts.apply(connection, verdict, int(at * 1000), ["webhook:a"], **how)
            connection.commit()
        return [str(transition.word) for transition in done]

    def pair(self, name: str, outcomes: dict[str, int], bucket: int = BUCKET - 20, text: bool = True) -> None:
        """A pair in slices all and json; `outcomes` of the signal schema by arm."""
        row = {
            "pair_id": name,
            "deployment": "chat",
            "variant": "int4",
            "bucket": bucket,
            "mask": np.packbits([True, True, False]).tobytes(),
            "layout": self.layout().digest,
            "level": 1_000_000,
            "event_hash": 1,
            "prompt_hash": 2,
            "sealed": True,
        }
        self.write(tables.pair, row)
        fidelity = '{"tokens": 9, "mean_kl": 0.1, "same_top": 0.9, "first_divergence": 3, "flipped": true}'
        arms = [
            {
                "pair_id": name,
                "arm": arm,
                "outcomes": msgspec.json.encode({"schema": outcome}).decode(),
                "fidelity": fidelity if arm == "deployed" else None,
                "seconds": 0.1,
                "at": 0,
            }
            for arm, outcome in outcomes.items()
        ]
        self.write(tables.arm, *arms)
        if text:
            self._texts(name)

    def _texts(self, name: str) -> None:
        event = {
            "id": name,
            "messages": [Message("user", f"say {MARKER}")],
            "output": Output("logged text"),
            "tools": [{"type": "function"}],
        }
        parts = {"event": event, "deployed": Output("deployed text"), "reference": Output("reference text")}
        late = int(NOW * 1000) + 1_000
        common = [
            {"pair_id": name, "part": k, "body": msgspec.json.encode(v), "expires": late} for k, v in parts.items()
        ]
        self.write(tables.pair_text, *common)


@pytest.fixture
def engine(either_database: str, tmp_path: Path) -> Iterator[Engine]:
    engine = stores.store(tmp_path)
    yield engine
    engine.dispose()


@pytest.fixture
def store(engine: Engine) -> Store:
    return Store(engine)


@pytest.fixture
def client(engine: Engine) -> Client:
    return Client(create_app(engine, PLAN, clock=lambda: NOW))


@pytest.fixture
def make_client(engine: Engine) -> Callable[..., Client]:
    def make(plan: Plan = PLAN, token: str | None = None, send: str | None = None, clock: float = NOW) -> Client:
        return Client(create_app(engine, plan, token=token, clock=lambda: clock), send)

    return make
