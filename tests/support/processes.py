"""Real processes of ours for tests: started, waited for, stopped, and what they said."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]


def start(*words: str | Path, module: str = "services", **given: Any) -> subprocess.Popen[str]:
    """One of our commands, or another module, as a process whose input and output are ours."""
    command = [sys.executable, "-m", module, *map(str, words)]
    pipes: dict[str, Any] = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.Popen(command, text=True, env=environment, **(pipes | given))


def quantwatch(*words: str | Path) -> str:
    """What a command that ends well prints."""
    process = start(*words)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    return out


def facts(*words: str | Path) -> list[str]:
    """Every sealed fact of a store, a line each; `words` name its plan and its database."""
    return sorted(quantwatch("facts", "--seal", "--json", *words).splitlines())


def line(process: subprocess.Popen[str]) -> str:
    """The next line that a process says."""
    assert process.stdout is not None
    return process.stdout.readline().strip()


def go_on(process: subprocess.Popen[str]) -> None:
    """Gives a process the line that it waits for."""
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()


def end(processes: Sequence[subprocess.Popen[str]]) -> None:
    """Ends processes for good, also those that are stopped."""
    for process in processes:
        if process.poll() is None:
            process.kill()
            process.send_signal(signal.SIGCONT)
        if not (process.stdout and process.stdout.closed):
            process.communicate(timeout=30)


def free_port() -> int:
    """A port of the local address that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def until(found: Callable[[], Any], seconds: float = 120.0) -> Any:
    """What `found` gives, once it gives anything."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if got := found():
            return got
        time.sleep(0.1)
    raise AssertionError(f"not within {seconds:.0f} s")


def write_plan(folder: Path, plan: Any) -> Path:
    """A plan as a file: JSON is YAML."""
    path = folder / "plan.yaml"
    path.write_text(json.dumps(plan))
    return path
