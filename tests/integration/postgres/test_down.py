"""The database goes and comes back under all processes: they recover alone, nothing is lost, nothing counts twice.

`OUTAGE_SECONDS` says how long it is away (3); `make test-outages` takes 300.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from services.store.engine import open_engine, upgrade
from tests.support import postgres
from tests.support.events import lines, request
from tests.support.processes import end, facts, free_port, quantwatch, start, until, write_plan

AWAY = float(os.environ.get("OUTAGE_SECONDS", "3"))
pytestmark = [pytest.mark.postgres, pytest.mark.slow, pytest.mark.timeout(300 + AWAY)]

PLAN = {
    "deployments": {
        "shop": {
            "bucket": "5s",
            "lateness": "2m",
            "variants": {"shop-int4": {}},
            "slices": [{"name": "orders", "where": {"tags": {"route": "order"}}}],
            "correction": {"horizon": "30s"},
        }
    }
}
BATCHES, SIZE = 24, 25


class Fleet:
    """API, intake, evaluator and dispatcher as processes on one database, each with a place to ask for its health."""

    def __init__(self, folder: Path, database: str) -> None:
        self.where = ("--plan", write_plan(folder, PLAN), "--db", database)
        self.ports = {name: free_port() for name in ("api", "intake", "assess", "dispatch")}
        self.said = (folder / "said").open("w")
        sink: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": self.said}
        self.processes = {
            name: start(name, *self.where, *self._place(name, port), **sink) for name, port in self.ports.items()
        }
        self.http = httpx.Client(timeout=10, trust_env=False)

    def _place(self, name: str, port: int) -> tuple[str, str]:
        return ("--port", str(port)) if name == "api" else ("--health", f"127.0.0.1:{port}")

    def ask(self, name: str, path: str) -> httpx.Response | None:
        try:
            return self.http.get(f"http://127.0.0.1:{self.ports[name]}{path}")
        except httpx.HTTPError:
            return None

    def states(self, path: str) -> dict[str, int | None]:
        """The status with which each process answers."""
        answers = {name: self.ask(name, path) for name in self.ports}
        return {name: None if answer is None else answer.status_code for name, answer in answers.items()}

    def all_answer(self, path: str, status: int) -> bool:
        return set(self.states(path).values()) == {status}

    def send(self, batch: list[bytes]) -> bool:
        """Whether it was acknowledged."""
        try:
            return (
                self.http.post(f"http://127.0.0.1:{self.ports['api']}/v1/events", content=b"\n".join(batch)).status_code
                == 202
            )
        except httpx.HTTPError:
            return False

    def close(self) -> None:
        end(list(self.processes.values()))
        self.http.close()
        self.said.close()


@pytest.fixture
def server() -> Iterator[postgres.Server]:
    made = postgres.Server(durable=True)
    upgrade_once(made.url)
    yield made
    made.remove()


def upgrade_once(url: str) -> None:
    engine = open_engine(url)
    upgrade(engine)
    engine.dispose()


def batches(begin: float) -> list[list[bytes]]:
    tags = ({"route": "order"}, {"route": "chat"})
    made = [
        request(f"r{n}", begin + n * 0.01, conversation=f"c{n % 90}", tags=tags[n % 2], received_at=begin + n * 0.01)
        for n in range(BATCHES * SIZE)
    ]
    return [lines(*made[at : at + SIZE]) for at in range(0, len(made), SIZE)]


def test_processes_outlive_their_database_and_count_everything_once(tmp_path: Path, server: postgres.Server) -> None:
    sent = batches(time.time() - 20)
    fleet = Fleet(tmp_path, server.url)
    try:
        until(lambda: fleet.all_answer("/v1/health/ready", 200))
        for batch in sent[: BATCHES // 2]:
            assert fleet.send(batch)
        server.stop(signal.SIGQUIT)
        until(lambda: fleet.all_answer("/v1/health/ready", 503))
        assert not fleet.send(sent[BATCHES // 2])
        verdict = fleet.ask("api", "/v1/verdict/shop-int4")
        assert verdict is not None
        assert (verdict.status_code, verdict.json()["decision"]) == (503, "hold")
        assert verdict.json()["reason"] == "the store is unavailable, try again"
        time.sleep(AWAY)
        assert fleet.all_answer("/v1/health/live", 200), "nobody would be helped by starting them again"
        server.start()
        until(lambda: fleet.all_answer("/v1/health/ready", 200))
        for batch in sent[BATCHES // 2 :]:
            assert fleet.send(batch)
        until(lambda: "quantwatch_inbox_records 0\n" in taken(fleet))
        until(lambda: (held := fleet.ask("api", "/v1/health/ready")) is not None and held.json()["evaluated"])
        assert [process.poll() for process in fleet.processes.values()] == [None] * 4
    finally:
        fleet.close()
    log = tmp_path / "log.jsonl"
    log.write_bytes(b"\n".join(line for batch in sent for line in batch) + b"\n")
    undisturbed = ("--plan", tmp_path / "plan.yaml", "--db", f"sqlite:///{tmp_path}/file.db")
    quantwatch("ingest", log, *undisturbed)
    assert len(facts(*undisturbed)) > 10
    assert facts(*fleet.where) == facts(*undisturbed)
    said = (tmp_path / "said").read_text()
    assert "trying again" in said
    assert "parcel" not in said
    assert "Traceback" not in said


def taken(fleet: Fleet) -> str:
    answer = fleet.ask("api", "/metrics")
    return answer.text if answer is not None and f'_total{{source="inbox"}} {BATCHES * SIZE}\n' in answer.text else ""


def test_everything_as_one_service_works_on_postgresql(tmp_path: Path) -> None:
    with postgres.database(empty=True) as url:
        where = ("--plan", write_plan(tmp_path, PLAN), "--db", url)
        port = free_port()
        said = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        flags = ("--port", str(port), "--dashboard-port", "0", "--no-shadow")
        service = start("up", *where, *flags, **said)
        sent = [line for batch in batches(time.time() - 20)[:4] for line in batch]
        try:
            with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False) as http:
                until(lambda: answers(http, "/v1/health/ready"))
                assert http.post("/v1/events", content=b"\n".join(sent)).status_code == 202
                until(lambda: f'_total{{source="inbox"}} {len(sent)}\n' in http.get("/metrics").text)
                assert http.get("/v1/verdict/shop-int4").json()["reason"] == "no evidence yet"
        finally:
            end([service])
        assert len(facts(*where)) > 5


def answers(http: httpx.Client, path: str) -> bool:
    try:
        return http.get(path).status_code == 200
    except httpx.HTTPError:
        return False
