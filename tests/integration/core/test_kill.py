"""A real process, killed for real at random moments and started again, gives the facts of one that never was."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from services.store import tables as t
from services.store.engine import open_engine, upgrade
from tests.support.events import SHOP, random_log

ROOT = Path(__file__).parents[3]
SMALL_RUNS = "import services.ingest.jsonl as j; j.RUN_BYTES = j.BLOCK = 16_384; from services.cli import main; main()"
"""The real command with runs of forty lines, so that there are many moments to be killed at."""


def start(*words: str | Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", SMALL_RUNS, *map(str, words)]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)


def run(*words: str | Path) -> str:
    process = start(*words)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    return out


def position(engine: Engine) -> int:
    with engine.connect() as connection:
        return int(connection.scalar(sa.select(t.position.c.next)) or 0)


def test_an_ingestion_killed_again_and_again_gives_the_same_facts(tmp_path: Path) -> None:
    log, plan = tmp_path / "log.jsonl", tmp_path / "plan.yaml"
    log.write_bytes(b"\n".join(random_log(8, 2000)) + b"\n")
    plan.write_bytes(msgspec.json.encode({"deployments": {"shop": SHOP | {"bucket": "10m", "slices": SHOP["slices"][:1],
                                                                          "shadow": {"share": 0.2}}}}))  # fmt: skip
    calm, rough = (f"sqlite:///{tmp_path / name}.db" for name in ("calm", "rough"))
    words = (log, "--plan", plan, "--json", "--db")
    run("ingest", *words, calm)
    watched = open_engine(rough)
    upgrade(watched)
    draw, seen, killed = random.Random(1), [0], 0
    for kill in range(3):
        process = start("ingest", *words, rough)
        wanted = (kill + draw.random()) * log.stat().st_size / 4 + 1
        deadline = time.monotonic() + 60
        while position(watched) < wanted and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        killed += process.returncode == -signal.SIGKILL
        seen.append(position(watched))
    assert killed > 0
    assert 0 < seen[1] < log.stat().st_size, "the first at least must have been killed underway"
    run("ingest", *words, rough)
    facts = [run("facts", "--seal", "--plan", plan, "--json", "--db", url) for url in (calm, rough)]
    assert len(facts[0]) > 1000
    assert facts[0] == facts[1]
