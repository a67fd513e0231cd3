"""The whole service killed at random moments while a producer sends: nothing acknowledged is lost, nothing doubles."""

from __future__ import annotations

import json
import random
import socket
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import httpx
import pytest

PLAN = """\
deployments:
  shop:
    bucket: 5s
    lateness: 2m
    variants: {shop-int4: {}}
    slices: [{name: orders, where: {tags: {route: order}}}]
    correction: {horizon: 30s}
"""
BATCHES, SIZE = 40, 25


def events(start: float) -> list[list[bytes]]:
    """Batches of requests of a few seconds, with conversations whose second turn repeats the first."""
    rng = random.Random(11)
    made = []
    for i in range(BATCHES * SIZE):
        talk = rng.randrange(400)
        made.append(
            {
                "id": f"r{i}",
                "deployment": "shop",
                "variant": "shop-int4",
                "time": start + i * 0.01,
                "conversation": f"c{talk}",
                "messages": [{"role": "user", "content": f"where is parcel number {talk} of mine today"}],
                "output": {
                    "text": "On its way." if i % 9 else "I'm sorry, I can't help with that.",
                    "finish_reason": "stop",
                },
                "tags": {"route": "order" if i % 3 else "chat"},
            }
        )
    lines = [json.dumps(event).encode() for event in made]
    return [lines[at : at + SIZE] for at in range(0, len(lines), SIZE)]


class Service:
    """`quantwatch up` on one store and one port, as often as it takes."""

    def __init__(self, folder: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        self.folder = folder
        self.http = httpx.Client(base_url=f"http://127.0.0.1:{self.port}", timeout=10, trust_env=False)
        self.start()

    def start(self) -> None:
        flags = ["--port", str(self.port), "--dashboard-port", "0", "--no-shadow", *store(self.folder, "served")]
        self.process = subprocess.Popen([sys.executable, "-m", "services", "up", *flags], stderr=subprocess.DEVNULL)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
        self.start()

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        self.http.close()

    def send(self, batch: list[bytes]) -> None:
        """At least once: again until it is acknowledged, as producers do."""
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            try:
                if self.http.post("/v1/events", content=b"\n".join(batch)).status_code == 202:
                    return
            except httpx.HTTPError:
                time.sleep(0.1)
        raise AssertionError("the service did not come back")


def store(folder: Path, name: str) -> list[str]:
    """The options that name the plan and a store."""
    return ["--plan", str(folder / "plan.yaml"), "--db", f"sqlite:///{folder / name}.db"]


def facts(folder: Path, name: str) -> list[str]:
    """Every sealed fact of a store, a line each."""
    command = [sys.executable, "-m", "services", "facts", "--seal", "--json", *store(folder, name)]
    return subprocess.run(command, capture_output=True, check=True, text=True).stdout.splitlines()


@pytest.mark.slow
def test_a_service_killed_again_and_again_counts_every_acknowledged_event_once(tmp_path: Path) -> None:
    (tmp_path / "plan.yaml").write_text(PLAN)
    batches = events(time.time() - 20)
    rng, service = random.Random(5), Service(tmp_path)
    try:
        for n, batch in enumerate(batches):
            service.send(batch)
            if n in (4, 12, 25):
                time.sleep(rng.uniform(0.0, 0.8))
                service.kill()
        wait_until_taken(tmp_path)
    finally:
        service.close()
    (tmp_path / "log.jsonl").write_bytes(b"\n".join(line for batch in batches for line in batch) + b"\n")
    ingest = [sys.executable, "-m", "services", "ingest", str(tmp_path / "log.jsonl"), *store(tmp_path, "file")]
    subprocess.run(ingest, capture_output=True, check=True)

    undisturbed = facts(tmp_path, "file")
    assert len(undisturbed) > 10
    assert facts(tmp_path, "served") == undisturbed


def wait_until_taken(folder: Path) -> None:
    """Until the intake has taken all that was acknowledged."""
    with closing(sqlite3.connect(folder / "served.db")) as connection:
        for _ in range(200):
            if connection.execute("select count(*) from inbox").fetchone() == (0,):
                return
            time.sleep(0.1)
    raise AssertionError("the inbox was not taken")
