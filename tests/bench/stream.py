"""What one stream worker takes a second, from a full topic and live, beside Faust's stock path in the same run.

    python -m tests.bench.stream [--events 1000000] [--db URL] [--out FOLDER]

Broker and, unless a URL is given, PostgreSQL are started on this machine. A run of fewer events than the promised
million writes only where `--out` says.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy.engine import Engine

from services.store.clock import clock_of
from services.store.engine import open_engine, upgrade
from services.stream.cluster import Cluster
from services.stream.run import Stream
from services.stream.settings import StreamSettings
from services.stream.worker import Worker
from tests.bench import figures, traffic
from tests.bench.figures import Figure
from tests.bench.plan import plan
from tests.bench.stock import run_stock
from tests.bench.topic import fill, records
from tests.support import postgres
from tests.support.kafka import Kafka, open_kafka
from tests.support.workers import positions

EVENTS = 1_000_000
SEED = 20_261_125
PARTITIONS = 4
STOCK_EVENTS = 60_000
LIVE_RATE, LIVE_SECONDS = 15_000, 20
_PATIENCE = 60
GOALS = {"preloaded": 40_000.0, "live": 15_000.0, "visible": 2.0, "memory": 1.05}


@dataclass(slots=True)
class Measured:
    """One reading: events, seconds of the clock and of the processor, and resident bytes as it went on."""

    events: int
    seconds: float
    cpu: float
    resident: list[int] = field(default_factory=list)

    @property
    def rate(self) -> float:
        """Events a second."""
        return self.events / self.seconds

    @property
    def growth(self) -> float:
        """Resident memory in the last tenth by that around the middle."""
        seen = self.resident
        if len(seen) < 20:
            return 1.0
        middle, last = seen[len(seen) * 45 // 100 : len(seen) * 55 // 100 + 1], seen[len(seen) * 9 // 10 :]
        return statistics.median(last) / statistics.median(middle)


def main() -> None:
    """Runs the benchmark and prints its page."""
    parser = argparse.ArgumentParser(description="Throughput of the stream worker.")
    parser.add_argument("--events", type=int, default=EVENTS)
    parser.add_argument("--db", help="An empty database's URL; without it, one on a PostgreSQL of its own.")
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        opened = open_kafka(Path(name))
        try:
            found, page = _bench(next(opened), Path(name), given.events, given.db)
        finally:
            opened.close()
    print(page)
    if given.out or given.events >= EVENTS:
        figures.write("stream", SEED, found, page, given.out or figures.FOLDER)


def _bench(kafka: Kafka, folder: Path, events: int, db: str | None) -> tuple[list[Figure], str]:
    log = folder / "log.jsonl"
    traffic.write(log, events, SEED)
    rows = list(records(log, PARTITIONS))
    topic = kafka.topic(PARTITIONS)
    fill(kafka.bootstrap, topic, rows, None, lambda _: None)
    small = kafka.topic(PARTITIONS)
    few = rows[:STOCK_EVENTS]
    fill(kafka.bootstrap, small, few, None, lambda _: None)
    _ours(kafka, _engine(db), small, len(few))  # compiles, and fills caches
    whole = _ours(kafka, _engine(db), topic, len(rows))
    stock = _stock(kafka, _engine(db), small, len(few))
    empty = _stock(kafka, None, small, len(few))
    live, visible = _live(kafka, _engine(db), rows[: LIVE_RATE * LIVE_SECONDS])
    found = [
        Figure("preloaded", whole.rate, "events/s", GOALS["preloaded"], "higher"),
        Figure("live", live.rate, "events/s", GOALS["live"], "higher"),
        Figure("produced_to_visible", visible, "s", GOALS["visible"]),
        Figure("memory_growth_second_half", whole.growth, "times", GOALS["memory"]),
    ]
    readings = {
        "the stream worker": whole,
        "the same worker on Faust's stock path": stock,
        "an empty stock agent": empty,
        f"the stream worker live, fed {LIVE_RATE:,}/s": live,
    }
    return found, _page(found, readings, log.stat().st_size / events, db)


def _engine(db: str | None) -> Engine:
    """An empty store of its own; with `db`, the same one for all, whose positions are other topics' each time."""
    engine = open_engine(db or postgres.create())
    upgrade(engine)
    return engine


def _ours(kafka: Kafka, engine: Engine, topic: str, events: int) -> Measured:
    settings = StreamSettings(kafka.bootstrap, topic, group=f"bench-{time.monotonic_ns()}", session_timeout=10.0)
    stream = Stream(engine, plan(), clock_of(engine), settings)
    with _beside(lambda stop: stream.run(stop)):
        return _watched(lambda: sum(positions(engine, topic).values()), events)


def _stock(kafka: Kafka, engine: Engine | None, topic: str, events: int) -> Measured:
    count = [0]
    with closing(Cluster(kafka.bootstrap)) as cluster:
        settings = StreamSettings(kafka.bootstrap, topic)
        worker = None if engine is None else Worker(engine, plan(), clock_of(engine), cluster, settings)
        with _beside(lambda stop: run_stock(kafka.bootstrap, topic, stop, worker, count)):
            if engine is None:
                return _watched(lambda: count[0], events)
            return _watched(lambda: sum(positions(engine, topic).values()), events)


def _live(kafka: Kafka, engine: Engine, rows: list[tuple[int, bytes, bytes]]) -> tuple[Measured, float]:
    """Producer, broker, database and worker at once; the longest time from a message's write to its visible fact."""
    topic, written = kafka.topic(PARTITIONS), [(time.monotonic(), 0)]
    settings = StreamSettings(kafka.bootstrap, topic, group=f"bench-{time.monotonic_ns()}", session_timeout=10.0)
    stream = Stream(engine, plan(), clock_of(engine), settings)
    seen: list[tuple[float, int]] = []

    def taken() -> int:
        total = sum(positions(engine, topic).values())
        seen.append((time.monotonic(), total))
        return total

    with _beside(lambda stop: stream.run(stop)):
        while len(positions(engine, topic)) < PARTITIONS:
            time.sleep(0.05)
        time.sleep(1.0)
        producing = threading.Thread(
            target=fill, args=(kafka.bootstrap, topic, rows, LIVE_RATE, lambda n: written.append((time.monotonic(), n)))
        )
        producing.start()
        measured = _watched(taken, len(rows))
        producing.join()
    return measured, _longest(written, seen)


def _longest(written: list[tuple[float, int]], seen: list[tuple[float, int]]) -> float:
    """How long the slowest message took: for each look at the store, since when as many had been written."""
    longest, at = 0.0, 0
    for when, number in written[1:]:
        while at < len(seen) - 1 and seen[at][1] < number:
            at += 1
        longest = max(longest, seen[at][0] - when)
    return longest


def _watched(number: Callable[[], int], events: int) -> Measured:
    """Waits until all have been taken; measures from the first one on."""
    while not number():
        time.sleep(0.005)
    before, began, cpu = number(), time.monotonic(), time.process_time()
    resident: list[int] = []
    last, moved = before, began
    while (now := number()) < events:
        last, moved = (now, time.monotonic()) if now != last else (last, moved)
        if time.monotonic() - moved > _PATIENCE:
            raise SystemExit(f"nothing has moved for {_PATIENCE} s: {now:,} of {events:,} events were taken")
        resident.append(_resident())
        time.sleep(0.05)
    return Measured(now - before, time.monotonic() - began, time.process_time() - cpu, resident)


@contextmanager
def _beside(run: Callable[[threading.Event], object]) -> Iterator[None]:
    stop = threading.Event()
    thread = threading.Thread(target=run, args=(stop,))
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def _resident() -> int:
    with Path("/proc/self/statm").open() as file:
        return int(file.read().split()[1]) * resource.getpagesize()


def _page(found: list[Figure], readings: dict[str, Measured], size: float, db: str | None) -> str:
    machine = figures.machine()
    store = db.partition(":")[0] if db else "PostgreSQL"
    head = (
        f"# The stream worker\n\n`make bench-stream`, {figures.today()}, seed {SEED}, {machine['cores']} cores "
        f"({machine['cpu']}), Python {machine['python']}, {store}; events of {size / 1000:.2f} kB, all live signals, "
        f"{PARTITIONS} partitions, one worker.\n\n"
    )
    rows = [
        (name, f"{one.events:,}", f"{one.rate:,.0f}", f"{one.events / one.cpu:,.0f}") for name, one in readings.items()
    ]
    table = figures.table(("reading", "events", "events/s", "events per CPU second"), rows)
    return (
        f"{head}{figures.promised(found)}\n{table}\n"
        "Events a second are by the clock, with broker and database on the same cores. CPU seconds are those of the "
        "worker's process; live, the producer's are among them.\n"
    )


if __name__ == "__main__":
    main()
