"""Every process of `deploy/compose.yaml`, started by its own command line on a real broker and database."""

from __future__ import annotations

import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support import compose, postgres
from tests.support.kafka import Kafka
from tests.support.processes import ROOT, end, free_port, until

pytestmark = [pytest.mark.kafka, pytest.mark.postgres, pytest.mark.timeout(240)]
GIVEN = {"POSTGRES_PASSWORD": "unused here", "QUANTWATCH_TOKEN": "a token of this test"}
OURS = compose.ours(GIVEN)
ONCE = ("migrate", "topics")


class Place:
    """This machine in the place of the containers: their addresses are ports of ours."""

    def __init__(self, folder: Path, kafka: Kafka, db: str) -> None:
        self.folder = folder
        self.tag = uuid.uuid4().hex[:8]
        self.ports: dict[str, int] = {name: free_port() for name in OURS}
        self.addresses = {"QUANTWATCH_KAFKA": kafka.bootstrap, "QUANTWATCH_DB": db}
        (folder / "quantwatch.yaml").write_text(yaml.safe_dump(plan()))

    def command(self, name: str) -> list[str]:
        """The command line of a service."""
        words = [word.replace("http://api:8321", f"http://127.0.0.1:{self.ports['api']}") for word in self.words(name)]
        return [sys.executable, "-m", "services", *words]

    def words(self, name: str) -> Iterator[str]:
        for word in OURS[name]["command"]:
            if word.startswith("llm-"):
                yield f"{word}-{self.tag}"
            else:
                yield self.here(name, word)

    def here(self, name: str, text: str) -> str:
        """A text of a service's with its port in ours."""
        for port in ("8321", "8322", "8501"):
            if not text.startswith("http://api"):
                text = text.replace(port, str(self.ports[name]))
        return text.replace("0.0.0.0", "127.0.0.1")

    def environment(self, name: str) -> dict[str, str]:
        own = {key: self.addresses.get(key, value) for key, value in OURS[name]["environment"].items()}
        return os.environ | {"PYTHONPATH": str(ROOT)} | {key: value for key, value in own.items() if value}

    def healthy(self, name: str) -> bool:
        """Whether the service's own question for health is answered."""
        _, _, *words = OURS[name]["healthcheck"]["test"]
        asked = [sys.executable, *(self.here(name, word) for word in words)]
        return subprocess.run(asked, capture_output=True, timeout=30).returncode == 0


def plan() -> dict[str, Any]:
    """The plan that is mounted, with a server that nobody has in the place of a model that nobody has."""
    found: dict[str, Any] = yaml.safe_load((compose.DEPLOY / "quantwatch.yaml").read_text(encoding="utf-8"))
    found["deployments"]["shop"]["variants"]["shop-bf16"]["arm"] = {
        "backend": "openai",
        "url": "http://127.0.0.1:9/v1",
        "model": "shop",
    }
    return found


@contextmanager
def running(place: Place, name: str) -> Iterator[subprocess.Popen[str]]:
    pipes: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE, "text": True}
    process = subprocess.Popen(place.command(name), cwd=place.folder, env=place.environment(name), **pipes)
    try:
        yield process
    finally:
        end([process])


def test_every_process_comes_up_by_its_own_command_and_is_healthy(kafka: Kafka, tmp_path: Path) -> None:
    with postgres.database(empty=True) as db:
        place = Place(tmp_path, kafka, db)
        for name in ONCE:
            with running(place, name) as process:
                assert process.wait(60) == 0, name

        with ExitStack() as stack:
            started = {name: stack.enter_context(running(place, name)) for name in OURS if name not in ONCE}
            for name, process in started.items():
                until(lambda process=process, name=name: process.poll() is not None or place.healthy(name))
                assert process.poll() is None, f"{name}: {process.communicate()[1]}"
