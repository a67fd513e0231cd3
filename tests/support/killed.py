"""Stream workers as processes of their own, which may be killed at any moment."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading

from monitor.plan import Plan
from services.store.engine import open_engine
from services.stream.run import Stream
from services.stream.settings import StreamSettings
from tests.support.workers import slow_clock

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(["tests.support.killed"])


class Process:
    """A worker that runs until it is killed or stopped."""

    def __init__(self, url: str, plan: Plan, settings: StreamSettings) -> None:
        self._process = _context.Process(target=_serve, args=(url, plan, settings), daemon=True)
        self._process.start()

    def kill(self) -> None:
        """Ends it as a crash of the machine would."""
        assert self._process.pid is not None
        os.kill(self._process.pid, signal.SIGKILL)
        self._process.join()

    def pause(self) -> None:
        """Stops it where it stands, without its knowing."""
        assert self._process.pid is not None
        os.kill(self._process.pid, signal.SIGSTOP)

    def wake(self) -> None:
        """Lets it go on."""
        assert self._process.pid is not None
        os.kill(self._process.pid, signal.SIGCONT)


def _serve(url: str, plan: Plan, settings: StreamSettings) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    Stream(open_engine(url), plan, slow_clock, settings).run(threading.Event())
