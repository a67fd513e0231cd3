"""Ending on SIGTERM and SIGINT."""

from __future__ import annotations

import signal
import threading
from queue import SimpleQueue


def stop_on_signals(stop: threading.Event) -> None:
    """Sets `stop` when the process is asked to end; called by the main thread.

    A handler must not set it: it interrupts the main thread, which may hold the event's lock, and would wait for ever.
    """
    asked: SimpleQueue[int] = SimpleQueue()  # may be put into by a handler at any moment

    def wait() -> None:
        asked.get()
        stop.set()

    threading.Thread(target=wait, name="signals", daemon=True).start()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, _: asked.put(number))
