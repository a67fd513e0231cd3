"""The embedded mode: one process that takes input, evaluates, dispatches and answers; helpers beside it."""

from __future__ import annotations

import ctypes
import logging
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import uvicorn
from sqlalchemy.engine import Engine

from monitor.plan import Plan
from services import rounds
from services.api.app import create_app
from services.bootstrap import destinations
from services.evaluate import Evaluator
from services.ingest.folder import Folder
from services.ingest.inbox import Inbox
from services.ingest.tail import Tail
from services.loops import Loops
from services.ports import Clock
from services.runtime import Ingestion

_log = logging.getLogger(__name__)
_READ_EVERY = 0.5
_PR_SET_PDEATHSIG = 1


@dataclass(frozen=True, slots=True)
class Address:
    """Where the API listens."""

    host: str
    port: int


class Embedded:
    """Everything but the shadow worker and the dashboard, which are processes of their own."""

    def __init__(
        self, engine: Engine, plan: Plan, clock: Clock, follow: Sequence[Folder], token: str | None, address: Address
    ) -> None:
        self.stop = threading.Event()
        self._loops = Loops(self.stop, engine)
        self._engine = engine
        self._clock = clock
        self._plan = plan
        self._ingestion = Ingestion(engine, plan, clock)
        self._inbox = Inbox(engine, clock)
        self._tails = [Tail(folder, engine, clock) for folder in follow]
        self._found = threading.Event()
        self._destinations = destinations(plan)
        self._evaluator = Evaluator(engine, plan, clock, tuple(self._destinations))
        app = create_app(engine, plan, token=token, stuck=self._loops.stuck)
        config = uvicorn.Config(app, host=address.host, port=address.port, log_level="warning", access_log=False)
        self._server = uvicorn.Server(config)

    def run(self) -> None:
        """Serves until stopped; ends early, with `problem` set, if a part cannot go on."""
        self._loops.every(_READ_EVERY, "reading", self._read)
        rounds.evaluate(self._loops, self._engine, self._plan, self._clock, self._look)
        rounds.dispatch(self._loops, self._engine, self._plan, self._clock, self._destinations)
        # The server gets a thread, so that signals are ours: its own handler would end the process under our feet.
        server = threading.Thread(target=self._serve, daemon=True)
        server.start()
        try:
            self._loops.run()
        finally:
            self._server.should_exit = True
            server.join(timeout=10)

    def _read(self) -> None:
        for tail in self._tails:
            tail.find(self._ingestion)
        self._found.set()
        self._ingestion.read(self._inbox)
        for tail in self._tails:
            tail.take(self._ingestion)

    def _look(self) -> None:
        if self._found.is_set():  # else logs that wait since before the start would find their buckets sealed
            self._evaluator.look()

    def _serve(self) -> None:
        """Without the API the service ends."""
        try:
            self._server.run()
        finally:
            self.stop.set()

    @property
    def problem(self) -> str | None:
        """Why it ended by itself; None while it runs, or if it was stopped."""
        return self._loops.problem


class Beside:
    """A helper process that is started again whenever it ends, until closed."""

    def __init__(self, command: Sequence[str], log: Path | None = None) -> None:
        self._command = list(command)
        self._log = log
        self._closed = threading.Event()
        self._process = self._start()
        self._watcher = threading.Thread(target=self._watch, daemon=True)
        self._watcher.start()

    def close(self) -> None:
        """Ends the process for good."""
        self._closed.set()
        self._process.terminate()
        try:
            self._process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self._process.kill()

    def _start(self) -> subprocess.Popen[bytes]:
        sink = self._log.open("ab") if self._log else subprocess.DEVNULL
        return subprocess.Popen(self._command, stdout=sink, stderr=sink if self._log else None, preexec_fn=_end_with_us)

    def _watch(self) -> None:
        pause = 1.0
        while True:
            code = self._process.wait()
            if self._closed.wait(pause):
                return
            _log.warning("%s ended with %s; starting it again", self._command[3:5], code)
            pause = min(pause * 2, 60.0)
            self._process = self._start()


def _end_with_us() -> None:
    """In a new child: asks the kernel to end it when its parent ends, however that comes about (Linux)."""
    prctl = getattr(ctypes.CDLL(None), "prctl", None)
    if prctl is not None:
        prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def command_line(name: str, plan: Path | None, db: str) -> list[str]:
    """The command line of one of our own commands as a process beside this one."""
    plan_part = ["--plan", str(plan)] if plan else []
    return [sys.executable, "-m", "services", name, *plan_part, "--db", db]
