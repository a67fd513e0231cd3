"""A service that is asked to end does, whatever it is doing at that moment."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator

import pytest

from services.commands.stopping import stop_on_signals


@pytest.fixture(autouse=True)
def own_signals() -> Iterator[None]:
    """This process's own handlers, afterwards."""
    kept = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield
    for number, handler in kept.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.timeout(20)
def test_a_signal_stops_also_while_the_main_thread_holds_the_event_s_lock(number: signal.Signals) -> None:
    stop = threading.Event()
    stop_on_signals(stop)

    with stop._cond:
        os.kill(os.getpid(), number)
        os.kill(os.getpid(), number)

    assert stop.wait(10)
