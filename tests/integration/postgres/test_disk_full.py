"""The database's disk fills up: nothing is acknowledged that is not kept, and all processes recover alone."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import psycopg
import pytest

from tests.integration.postgres.test_down import PLAN, Fleet, upgrade_once
from tests.support import postgres
from tests.support.events import Json, lines, request
from tests.support.processes import facts, quantwatch, until, write_plan

ROOM = "192m"
BATCHES, SIZE = 40, 50
_CAP_SYS_ADMIN = 21


def may_mount() -> bool:
    """Whether the kernel lets us mount a file system (Linux)."""
    status = Path("/proc/self/status")
    said = status.read_text() if status.exists() else ""
    found = next((line.split()[1] for line in said.splitlines() if line.startswith("CapEff:")), "0")
    return bool(int(found, 16) >> _CAP_SYS_ADMIN & 1)


# Where it cannot be tried, that is said, and is no lack of PostgreSQL.
pytestmark = (
    [pytest.mark.postgres, pytest.mark.slow]
    if may_mount()
    else pytest.mark.skip(reason="no small disk (mounting a file system needs root)")
)


@pytest.fixture
def small_disk() -> Iterator[Path]:
    """A file system of its own, in memory, of which there is little."""
    place = Path(tempfile.mkdtemp(prefix="quantwatch-disk-"))
    place.chmod(0o755)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={ROOM},mode=755", "tmpfs", str(place)], check=True)
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)
        place.rmdir()


@pytest.fixture
def server(small_disk: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[postgres.Server]:
    monkeypatch.setattr(tempfile, "tempdir", str(small_disk))
    made = postgres.Server(durable=True)
    monkeypatch.undo()
    upgrade_once(made.url)
    yield made
    made.remove()


def fill(disk: Path) -> Path:
    """Takes every byte that is free."""
    ballast = disk / "ballast"
    with ballast.open("wb") as file:
        try:
            while True:
                file.write(bytes(1 << 16))
                file.flush()
        except OSError:
            return ballast


def batches(begin: float) -> list[list[bytes]]:
    """Requests long enough for a disk to notice."""
    made: list[Json] = []
    for n in range(BATCHES * SIZE):
        at = begin + n * 0.002
        prompt = [{"role": "user", "content": f"where is parcel {n}? {os.urandom(1_000).hex()}"}]
        made.append(request(f"r{n}", at, conversation=f"c{n % 900}", messages=prompt, received_at=at))
    return [lines(*made[at : at + SIZE]) for at in range(0, len(made), SIZE)]


def answers(server: postgres.Server) -> bool:
    try:
        psycopg.connect(server.url, connect_timeout=2).close()
    except psycopg.OperationalError:
        return False
    return True


def test_a_full_disk_refuses_what_it_cannot_keep_and_loses_nothing(
    tmp_path: Path, small_disk: Path, server: postgres.Server
) -> None:
    sent = batches(time.time() - 20)
    fleet = Fleet(tmp_path, server.url)
    try:
        until(lambda: fleet.all_answer("/v1/health/ready", 200))
        ballast = fill(small_disk)
        kept = next((n for n, batch in enumerate(sent) if not fleet.send(batch)), len(sent))
        assert kept < len(sent), "the disk is full, and somebody has to be told"
        time.sleep(3)
        assert fleet.all_answer("/v1/health/live", 200), "nobody would be helped by starting them again"
        verdict = fleet.ask("api", "/v1/verdict/shop-int4")
        assert verdict is not None
        assert verdict.json()["decision"] == "hold"
        ready = fleet.ask("api", "/v1/health/ready")
        assert ready is not None
        assert ready.json()["ready"] is answers(server)

        ballast.unlink()
        if not answers(server):  # without room for its journal it stops; who runs it starts it again
            server.stop(signal.SIGQUIT)
            server.start()
        until(lambda: fleet.all_answer("/v1/health/ready", 200))
        for batch in sent[kept:]:
            until(lambda batch=batch: fleet.send(batch), 30)
        until(lambda: taken(fleet) == BATCHES * SIZE)
        assert [process.poll() for process in fleet.processes.values()] == [None] * 4
    finally:
        fleet.close()
    log = tmp_path / "log.jsonl"
    log.write_bytes(b"\n".join(line for batch in sent for line in batch) + b"\n")
    undisturbed = ("--plan", write_plan(tmp_path, PLAN), "--db", f"sqlite:///{tmp_path}/file.db")
    quantwatch("ingest", log, *undisturbed)
    assert facts(*fleet.where) == facts(*undisturbed)
    assert "Traceback" not in (tmp_path / "said").read_text()


def taken(fleet: Fleet) -> int:
    """Requests that were taken, by the metrics; copies of what was refused and kept all the same count apart."""
    answer: httpx.Response | None = fleet.ask("api", "/metrics")
    said = "" if answer is None else answer.text
    rows = [row.split() for row in said.splitlines() if row.startswith("quantwatch_source_events_total{")]
    waiting = "quantwatch_inbox_records 0\n" in said
    return int(sum(float(value) for _, value in rows)) if waiting else 0
