"""The HTTP API with canned answers: a real server on a free port, one state of the world per path prefix.

`serve()` yields its address; `ADDRESS/failing` is the API of a deployment with a failed build. Nothing is random.
"""

from __future__ import annotations

import math
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn
from fastapi import APIRouter, FastAPI, HTTPException, Request

Row = dict[str, Any]

NOW = 1_773_325_620.0  # 12 March 2026, 14:27 UTC
DEPLOY = NOW - 62 * 60
SEALED = NOW - 11 * 60
STATES = ("healthy", "failing", "hold", "no_reference", "empty", "unsealed", "stale", "hostile", "no_text", "broken")
HOSTILE = "<script>alert('x')</script> **bold** :smile: $x^2$ [a](https://evil.example) www.evil.example <b>hi</b>"
HOSTILE_TEXTS = (
    f"# Heading\n\n{HOSTILE}\n\n![i](https://evil.example/i.png) :red[red] `code` ```",
    "שלום עולם, מה שלומך היום? \u202egnp.exe \u2066 مرحبا بالعالم",
    "Z"
    + "\u0335\u0321\u0489\u034a\u0301\u0350" * 4
    + "a"
    + "\u0336\u0322\u035d\u0311" * 5
    + "lgo \x07\x1b[31mred\x1b[0m",
)
INT4, INT8, BF16 = "int4-g128", "int8-channel", "bf16"
SLICES = ("all", "strict-json", "long-context", "german", "tools")
SIGNALS = (("schema", 0.02), ("tool_call", 0.02), ("refusal", 0.03))
CELLS = ["valid", "invalid", "no_content", "no_schema"]


class World:
    """The answers of one state."""

    def __init__(self, state: str) -> None:
        self.state = state
        self.acknowledged: dict[str, str] = {}
        self.silences: list[Row] = []

    @property
    def names(self) -> tuple[str, str]:
        """The served build and the slice that went wrong."""
        return (HOSTILE, f"slice {HOSTILE}") if self.state == "hostile" else (INT4, "strict-json")

    @property
    def bad(self) -> bool:
        return self.state in ("failing", "hostile", "no_text")

    @property
    def decision(self) -> str:
        return "fail" if self.bad else "pass" if self.state == "healthy" else "hold"

    @property
    def sealed(self) -> float | None:
        return {"stale": NOW - 3 * 3600, "unsealed": None}.get(self.state, SEALED)

    def deployments(self) -> Row:
        return {"deployments": [] if self.state == "empty" else [self.deployment()]}

    def deployment(self) -> Row:
        unsealed, served = self.state == "unsealed", self.names[0]
        slices = [self.names[1] if name == "strict-json" else name for name in SLICES]
        signals = [
            {"name": name, "gates": True, "tolerance": accepted, "family": "structure"} for name, accepted in SIGNALS
        ]
        return {
            "name": "support-chat",
            "reference": None if self.state == "no_reference" else BF16,
            "bucket_seconds": 60.0,
            "sealed_until": self.sealed,
            "now": NOW,
            "stale": self.state == "stale",
            "variants": [] if unsealed else self.variants(),
            "slices": [{"name": name, "gates": name != "german"} for name in slices],
            "signals": [*signals, {"name": "correction", "gates": False, "tolerance": 0.02, "family": "correction"}],
            "deploys": []
            if unsealed
            else [{"variant": INT8, "time": DEPLOY - 2700}, {"variant": served, "time": DEPLOY}],
        }

    def variants(self) -> list[Row]:
        form = {"kind": "weight_only", "bits": 4, "group_size": 128, "per_channel": False}
        common = {"first_seen": NOW - 5 * 86400, "last_seen": NOW - 4}
        old = {"kind": "weight_activation", "bits": 8, "group_size": None, "per_channel": True}
        full = {"kind": "none", "bits": 16, "group_size": None, "per_channel": False}
        rows: list[Row] = [
            {"name": self.names[0], "format": form, "cost": 0.4, "serving": True, "decision": self.decision,
             "reason": self.reason(), **common, "first_seen": DEPLOY},
            {"name": INT8, "format": old, "cost": 0.6, "serving": False, "decision": "pass",
             "reason": "Every gating check lies under its tolerance.", **common, "last_seen": DEPLOY + 40},
            {"name": BF16, "format": full, "cost": 1.0, "serving": False, "decision": None, "reason": "", **common},
        ]  # fmt: skip
        if self.state == "no_reference":
            return [{**row, "is_reference": False, "decision": "hold", "reason": self.reason()} for row in rows]
        return [{"is_reference": row["name"] == BF16, **row} for row in rows]

    def reason(self) -> str:
        if self.bad:
            return f"schema on {self.names[1]} is 12.3 points worse (8.1 to 16.9); 2.0 points are accepted."
        return {
            "healthy": "Every gating check lies under its tolerance.",
            "hold": "2 of 12 checks are undecided: schema on strict-json needs 120 more pairs.",
            "no_reference": "The plan names no reference build.",
            "stale": "No bucket was sealed for 3 hours.",
        }.get(self.state, "")

    def recommendation(self) -> Row:
        action = {"fail": "roll_back", "pass": "keep", "hold": "hold"}[self.decision]
        to = INT8 if self.bad else None
        return {"action": action, "reason": self.reason(), "to": to, "proven": self.bad, "slices": []}

    def verdict(self, variant: str, deployment: str) -> Row:
        if self.state in ("empty", "unsealed") or variant not in [row["name"] for row in self.variants()]:
            raise HTTPException(404)
        served = variant == self.names[0]
        checks = self.checks() if served and self.state != "no_reference" else []
        return {
            "deployment": deployment,
            "variant": variant,
            "decision": self.decision if served else "pass",
            "reason": self.reason(),
            "recommendation": self.recommendation(),
            "as_of": NOW - 3,
            "sealed_until": self.sealed,
            "stale": self.state == "stale",
            "coverage": {"units": 18_412, "pairs": 932, "replayed_share": 0.0506, "excluded_share": 0.013, "queue": 7},
            "checks": checks,
            "findings": [],
            "uncovered": ["german"],
            "worst": [self.names[1]],
            "plan": "9f2c1ab07e5d3344",
            "links": {},
        }

    def checks(self) -> list[Row]:
        return [
            self.check(where, signal, accepted, step)
            for step, (where, (signal, accepted)) in enumerate(
                (where, signal) for where in SLICES if where != "german" for signal in SIGNALS
            )
        ]

    def check(self, where: str, signal: str, accepted: float, step: int) -> Row:
        bad = self.bad and signal == "schema" and where in ("strict-json", "all")
        waiting = self.state != "healthy" and where == "long-context" and signal == "tool_call"
        waiting = waiting or (self.state in ("hold", "stale") and where == "strict-json" and signal == "schema")
        estimate = {"strict-json": 0.123, "all": 0.041}[where] if bad else 0.004 * math.sin(step * 2.1)
        wide = 0.03 if waiting else 0.044 if where == "strict-json" and bad else 0.012
        harm: Row = {"estimate": estimate, "lower": estimate - wide, "upper": estimate + wide * 1.05}
        if waiting and signal == "tool_call":
            harm = {"estimate": None, "lower": None, "upper": None}
        decision = "fail" if bad else "hold" if waiting else "pass"
        return {
            "slice": self.names[1] if where == "strict-json" else where,
            "signal": signal,
            "direction": "more" if signal == "refusal" else "worse",
            "decision": decision,
            "pairs": 412 - 23 * step,
            "excluded": 5,
            "harm": harm,
            "latest": harm,
            "tolerance": accepted,
            "log_evidence": 9.1 if bad else -1.2,
            "threshold": 6.9,
            "log_all_clear": 4.0,
            "clear_threshold": 3.0,
            "since": DEPLOY if bad else None,
            "needs_pairs": 120 if waiting else None,
            "needs_seconds": 840.0 if waiting else None,
            "reason": self.reason(),
            "blame": self.blame() if bad else None,
        }

    def blame(self) -> Row:
        parts = [("quantization", 0.108, 0.03, True), ("serving", 0.012, 0.02, False), ("traffic", 0.003, 0.025, False)]
        named = [
            {"cause": cause, "interval": {"estimate": size, "lower": size - wide, "upper": size + wide}, "named": name}
            for cause, size, wide, name in parts
        ]
        return {"cause": "quantization", "contributions": named, "missing": [], "noise_floor": 0.006}

    def alerts(self) -> list[Row]:
        if not self.bad:
            return [self.alert("al-0099", "ticket", "resolved")] if self.state == "healthy" else []
        return [self.alert("al-0117", "fail", "open"), self.alert("al-0118", "ticket", "open")]

    def alert(self, identity: str, kind: str, state: str) -> Row:
        ticket = kind == "ticket"
        if identity in self.acknowledged:
            state = "acknowledged"
        harm = {"estimate": 0.031, "lower": 0.012, "upper": 0.05} if ticket else self.harm
        where = "all" if ticket else self.names[1]
        size = "3.1 points (1.2 to 5.0)" if ticket else "12.3 points (7.9 to 16.9)"
        signal = "correction" if ticket else "schema"
        return {
            "id": identity,
            "state": state,
            "kind": kind,
            "deployment": "support-chat",
            "variant": self.names[0],
            "slice": where,
            "signal": signal,
            "direction": "worse",
            "opened_at": NOW - 23 * 60,
            "acknowledged_at": NOW - 2 if state == "acknowledged" else None,
            "resolved_at": NOW - 600 if state == "resolved" else None,
            "silenced": ticket,
            "sentence": f"{signal} got worse by {size} on {where} under {self.names[0]} since 13:25 UTC.",
            "since": DEPLOY,
            "harm": harm,
            "units": 4_120 if ticket else 412,
            "log_evidence": 9.1,
            "threshold": 6.9,
            "blame": None if ticket else self.blame(),
            "recommendation": {**self.recommendation(), **({"action": "hold", "to": None} if ticket else {})},
        }

    @property
    def harm(self) -> Row:
        return {"estimate": 0.123, "lower": 0.079, "upper": 0.169}

    def series(self, variant: str, signal: str, since: float) -> Row:
        first = max(since, NOW - 3 * 3600) // 60 * 60
        times = [first + 60 * step for step in range(int((SEALED - first) // 60))]
        points = [self.point(time, variant, signal) for time in times]
        yes, no = ["invalid"], ["valid"]
        return {"bucket_seconds": 60.0, "cells": CELLS, "yes": yes, "no": no, "points": points}

    def point(self, time: float, variant: str, signal: str) -> Row:
        served = variant == self.names[0]
        live = time >= DEPLOY if served else time < DEPLOY if variant == INT8 else False
        n = 300 + int(40 * math.sin(time / 900)) if live else 0
        rate = (0.145 if served and self.bad and signal == "schema" else 0.025) + 0.008 * math.sin(time / 137)
        yes = round(n * rate)
        counts = {"valid": n - yes, "invalid": yes, "no_content": 0, "no_schema": n // 2}
        return {"time": time, "counts": counts, "n": n, "yes": yes, "rate": yes / n if n else None}

    def looks(self, variant: str, signal: str) -> list[Row]:
        if variant != self.names[0] or signal == "correction" or self.state in ("no_reference", "empty"):
            return []
        return [self.look(minute) for minute in range(3, 51)]

    def look(self, minute: int) -> Row:
        final = 0.123 if self.bad else 0.004
        wide = 0.32 / math.sqrt(minute + 2)
        estimate = final + 0.05 * math.sin(minute * 0.9) / math.sqrt(minute)
        evidence = minute * 0.19 if self.bad else -0.02 * minute
        return {
            "time": DEPLOY + 60 * minute,
            "pairs": 8 * minute,
            "estimate": estimate,
            "lower": estimate - wide,
            "upper": estimate + wide,
            "log_evidence": evidence,
            "threshold": 6.9,
            "decision": "fail" if evidence > 6.9 else "hold",
        }

    def pairs(self, limit: int) -> list[Row]:
        if self.state in ("empty", "unsealed", "no_reference"):
            return []
        texts = HOSTILE_TEXTS if self.state == "hostile" else ORDERS
        return [self.pair(number, text) for number, text in enumerate(texts)][:limit]

    def pair(self, number: int, text: str) -> Row:
        kept, cut = self.state != "no_text", len(text) * 3 // 5
        broken = f"{text[:cut]}{'<img src=x onerror=alert(1)> **' if self.state == 'hostile' else ' }, { '}{text[cut:]}"
        question = text if self.state == "hostile" else "Give me the order as JSON: 3 kg of apples to Lyon, by Friday."
        prompt = [{"role": "system", "content": "Answer with JSON only."}, {"role": "user", "content": question}]
        return {
            "id": f"pair-{4100 + number}",
            "time": NOW - 1500 - 60 * number,
            "slices": ["all", self.names[1]],
            "prompt": prompt if kept else None,
            "logged": _output(broken if number != 2 else f"{broken} ", "bad", kept),
            "deployed": _output(broken, "bad", kept),
            "reference": _output(text, "ok", kept, call=number == 1),
            "second": None,
            "fidelity": None if number == 2 else {"mean_kl": 0.081, "same_top": 0.934, "first_divergence": 16},
            "text_kept": kept,
        }

    def quarantine(self) -> Row:
        rows = [{"source": "gateway.jsonl", "position": "1842", "reason": "not_json", "time": NOW - 300}]
        return {"total": 3, "by_reason": {"not_json": 2, "late": 1}, "rows": rows, "gaps": []}


ORDERS = (
    '{"item": "apples", "quantity": 3, "unit": "kg", "city": "Lyon", "before": "Friday"}',
    '{"item": "apples", "quantity": 3, "unit": "kg", "address": {"city": "Lyon", "country": "FR"}, "before": "Friday"}',
    '{"items": [{"name": "apples", "kg": 3}], "city": "Lyon"}',
)


def _output(text: str, outcome: str, kept: bool, call: bool = False) -> Row:
    calls = [{"name": "place_order", "arguments": '{"city": "Lyon"}'}] if call else []
    words: Row = {"text": text, "tool_calls": calls} if kept else {"text": None, "tool_calls": []}
    return {**words, "outcomes": {"schema": outcome, "score": 0.5}}


def create_app() -> FastAPI:
    """The application, with every state under its own prefix."""
    app = FastAPI()
    for state in STATES:
        app.include_router(_routes(World(state)), prefix=f"/{state}")
    return app


def _routes(world: World) -> APIRouter:
    router = APIRouter(prefix="/v1")

    @router.get("/deployments")
    def deployments(request: Request) -> Row:
        if world.state == "broken":
            raise HTTPException(500)
        return world.deployments()

    @router.get("/verdict/{variant:path}")
    def verdict(variant: str, deployment: str) -> Row:
        return world.verdict(variant, deployment)

    @router.get("/alerts")
    def alerts() -> Row:
        if world.state == "broken":
            raise HTTPException(500)
        return {"alerts": world.alerts()}

    @router.get("/alerts/{identity}")
    def alert(identity: str) -> Row:
        known = {row["id"]: row for row in world.alerts()}
        if identity not in known:
            raise HTTPException(404)
        return known[identity]

    @router.post("/alerts/{identity}/acknowledge")
    async def acknowledge(identity: str, request: Request) -> Row:
        world.acknowledged[identity] = (await request.json())["by"]
        return {row["id"]: row for row in world.alerts()}[identity]

    @router.post("/silences")
    async def silence(request: Request) -> Row:
        world.silences.append(await request.json())
        return world.silences[-1]

    @router.get("/series")
    def series(variant: str, signal: str, since: float = 0.0) -> Row:
        return world.series(variant, signal, since)

    @router.get("/looks")
    def looks(variant: str, signal: str) -> Row:
        return {"looks": world.looks(variant, signal)}

    @router.get("/pairs")
    def pairs(limit: int = 50) -> Row:
        return {"pairs": world.pairs(limit)}

    @router.get("/quarantine")
    def quarantine() -> Row:
        return world.quarantine()

    return router


def free_port() -> int:
    """A port that nobody listens on at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def serve() -> Iterator[str]:
    """The running server's address."""
    options: Row = {"log_level": "warning", "access_log": False, "timeout_graceful_shutdown": 1}
    config = uvicorn.Config(create_app(), host="127.0.0.1", port=0, **options)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        if not thread.is_alive():
            raise RuntimeError("the fake API did not start")
        thread.join(0.02)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(5)


if __name__ == "__main__":
    uvicorn.run(create_app(), host="127.0.0.1", port=8399, log_level="warning")
