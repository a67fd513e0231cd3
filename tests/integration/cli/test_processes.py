"""The processes of the distributed mode: what they refuse in one line, and that they end when they are asked to."""

from __future__ import annotations

import signal
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.processes import end, free_port, start, until

DB = ("--db", "sqlite:///x.db")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("assess", "--health", "nowhere", *DB), "--health 'nowhere' is no address"),
        (("api", "--host", "0.0.0.0", *DB), "is not local: set QUANTWATCH_TOKEN first"),
        (("dashboard", "--api", "localhost"), "--api 'localhost' is no address"),
        (("intake", "--db", "postgresql://me:secret@127.0.0.1:1/x"), "cannot open the database: connection failed"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(quantwatch: Callable[..., Any], words: tuple[str, ...], said: str) -> None:
    refusal = quantwatch(*words).refusal
    assert said in refusal
    assert "secret" not in refusal


def test_a_port_that_is_taken_is_said_in_one_line(quantwatch: Callable[..., Any]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert f"cannot listen on 127.0.0.1:{port}" in quantwatch("api", "--port", port, *DB).refusal


@pytest.mark.parametrize("name", ["api", "assess"])
def test_a_process_that_is_asked_to_end_ends_well(folder: Path, name: str) -> None:
    port = free_port()
    place = ("--port", str(port)) if name == "api" else ("--health", f"127.0.0.1:{port}")
    process = start(name, *place, *DB, cwd=folder)
    try:
        until(lambda: answers(port))
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=30)
    finally:
        end([process])
    assert (process.returncode, out) == (0, "")
    assert "Traceback" not in err


def answers(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/v1/health/live", trust_env=False).status_code == 200
    except httpx.HTTPError:
        return False
