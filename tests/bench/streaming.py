"""One stream worker as a process of its own, for the benchmarks.

    python -m tests.bench.streaming ours|stock|empty BOOTSTRAP TOPIC DB

`ours` is the worker itself, `stock` the same one behind Faust's stock path, `empty` a stock agent with nothing behind
it, which prints the clock and how many messages have come, again and again. All end with their input.
"""

from __future__ import annotations

import sys
import threading
import time
import uuid
from contextlib import closing

from services.store.clock import clock_of
from services.store.engine import open_engine
from services.stream.cluster import Cluster
from services.stream.run import Stream
from services.stream.settings import StreamSettings
from services.stream.worker import Worker
from tests.bench.plan import plan
from tests.bench.stock import run_stock


def main(what: str, bootstrap: str, topic: str, db: str) -> None:
    """Runs until standard input ends."""
    stop = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), stop.set()), daemon=True).start()
    {"ours": _ours, "stock": _stock, "empty": _empty}[what](bootstrap, topic, db, stop)


def _ours(bootstrap: str, topic: str, db: str, stop: threading.Event) -> None:
    engine = open_engine(db)
    settings = StreamSettings(bootstrap, topic, group=topic, session_timeout=10.0)
    Stream(engine, plan(), clock_of(engine), settings).run(stop)


def _stock(bootstrap: str, topic: str, db: str, stop: threading.Event) -> None:
    engine = open_engine(db)
    with closing(Cluster(bootstrap)) as cluster:
        settings = StreamSettings(bootstrap, topic, group=f"stock-{uuid.uuid4()}")
        run_stock(bootstrap, topic, stop, Worker(engine, plan(), clock_of(engine), cluster, settings), [0])


def _empty(bootstrap: str, topic: str, db: str, stop: threading.Event) -> None:
    count = [0]

    def tell() -> None:
        while not stop.wait(0.02):
            print(time.monotonic(), count[0], flush=True)

    threading.Thread(target=tell, daemon=True).start()
    run_stock(bootstrap, topic, stop, None, count)


if __name__ == "__main__":
    main(*sys.argv[1:])
