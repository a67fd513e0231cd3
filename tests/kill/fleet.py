"""The processes of the distributed mode, killed and started again: the real commands, each a process of its own.

They are forked from a server that has imported everything, because a start of Python would take longer than the rest.
What a killed one held comes free after two seconds here, and not after one or two minutes.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Final

import services.bootstrap
import services.commands.assess
import services.commands.dispatch
import services.commands.shadow
import services.commands.stream
import services.evaluate
import services.outbound.dispatcher
import services.stream.relay
import services.stream.run
import services.stream.settings
from services.cli import main

LEASE: Final = 2.0
_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(["tests.kill.fleet", "tests.support.killed"])


class Fleet:
    """Processes by kind. Whoever ended without being killed shows in `ended`."""

    def __init__(self, folder: Path, batch: int) -> None:
        self._log = folder / "said"
        self._batch = batch
        self._running: dict[str, list[multiprocessing.process.BaseProcess]] = {}
        self.killed: list[str] = []

    def start(self, kind: str, words: Sequence[str], skew: float = 0.0) -> None:
        """One more `quantwatch KIND WORDS…`, on a machine whose clock is wrong by `skew` seconds."""
        given = [kind, *words], str(self._log), self._batch, skew, dict(os.environ)
        process = _context.Process(target=_serve, args=given, daemon=True)
        process.start()
        self._running.setdefault(kind, []).append(process)

    def number(self, kind: str) -> int:
        """How many of a kind run."""
        return len(self._running.get(kind, ()))

    def kill(self, kind: str, which: int) -> None:
        """Ends one as a crash of its machine would."""
        process = self._running[kind].pop(which % self.number(kind))
        _end(process, signal.SIGKILL)
        self.killed.append(kind)

    def ask_to_end(self, kind: str, which: int) -> None:
        """Ends one as an orchestrator does."""
        process = self._running[kind].pop(which % self.number(kind))
        _end(process, signal.SIGTERM)

    def pids(self, kind: str) -> list[int]:
        """The processes of a kind."""
        return [int(process.pid or 0) for process in self._running.get(kind, ())]

    def take_ended(self) -> list[str]:
        """The kinds of those that ended by themselves since the last call."""
        found = []
        for kind, processes in self._running.items():
            for process in [each for each in processes if not each.is_alive()]:
                processes.remove(process)
                found.append(kind)
        return found

    @property
    def said(self) -> str:
        """What all of them wrote."""
        return self._log.read_text(errors="replace") if self._log.exists() else ""

    def close(self) -> None:
        """Ends all that is left."""
        for processes in self._running.values():
            for process in processes:
                _end(process, signal.SIGKILL)
        self._running.clear()


def _end(process: multiprocessing.process.BaseProcess, how: signal.Signals) -> None:
    if process.pid is not None and process.is_alive():
        os.kill(process.pid, how)
    process.join(30)
    if process.is_alive():
        raise AssertionError(f"a process did not end within 30 s of {how.name}")
    process.close()


def _serve(words: list[str], log: str, batch: int, skew: float, environment: dict[str, str]) -> None:
    """In the child: the command, with small batches and short leases."""
    os.environ |= environment  # the server that forked it is older, and may be another test's
    now, now_ns = time.time, time.time_ns
    time.time, time.time_ns = lambda: now() + skew, lambda: now_ns() + int(skew * 1e9)
    file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for stream in (1, 2):
        os.dup2(file, stream)
    sys.stdout, sys.stderr = os.fdopen(1, "w", 1), os.fdopen(2, "w", 1)
    services.bootstrap.LEASE = services.outbound.dispatcher.LEASE_SECONDS = LEASE
    services.bootstrap._TIMEOUTS = 0  # a recorded build needs no time
    settings = services.stream.settings
    settings.StreamSettings = partial(settings.StreamSettings, batch_records=batch, batch_seconds=0.05)  # type: ignore[assignment, misc]
    sys.argv = ["quantwatch", *words]
    main()
