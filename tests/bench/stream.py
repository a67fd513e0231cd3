"""What one stream worker takes a second, from a full topic and live, beside Faust's stock path in the same run.

    python -m tests.bench.stream [--events 5000000] [--out FOLDER]

Broker (or the one of KAFKA_BOOTSTRAP_SERVERS) and PostgreSQL are started on this machine. A run of fewer events than
the promised five million writes only where `--out` says.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from deploy.local.postgres import Server
from tests.bench import figures
from tests.bench.figures import Figure
from tests.bench.observed import Measured
from tests.bench.stage import PARTITIONS, Stage, Written, told
from tests.bench.streampage import page
from tests.support.kafka import open_kafka
from tests.support.workers import positions

EVENTS = 5_000_000
SEED = 20_261_125
FEW, STOCK = 200_000, 40_000
LIVE_RATE, LIVE_SECONDS = 16_000, 20
WORKERS = (1, 2, 4)
GOALS = {"preloaded": 40_000.0, "live": 15_000.0, "visible": 2.0, "memory": 1.05, "scaling": 1.25}


@dataclass(slots=True)
class Found:
    """All readings of one run; bytes are those an event."""

    whole: Measured
    stock: Measured
    empty: Measured
    compressed: Measured
    live: Measured
    visible: float
    shared: dict[int, Measured]
    sizes: dict[str, float]

    @property
    def figures(self) -> list[Figure]:
        """What was promised."""
        several = self.shared[1].per_cpu / self.shared[WORKERS[-1]].per_cpu
        return [
            Figure("preloaded", self.whole.rate, "events/s", GOALS["preloaded"], "higher"),
            Figure("live", self.live.rate, "events/s", GOALS["live"], "higher"),
            Figure("produced_to_visible", self.visible, "s", GOALS["visible"]),
            Figure("memory_growth_second_half", self.whole.growth, "times", GOALS["memory"]),
            Figure("cpu_an_event_of_four_workers_by_one", several, "times", GOALS["scaling"]),
        ]

    @property
    def readings(self) -> dict[str, Measured]:
        """What was measured, by its name in the page."""
        return {
            "the stream worker": self.whole,
            "the same worker on Faust's stock path": self.stock,
            "an empty stock agent": self.empty,
            "the stream worker, topic compressed by zstd": self.compressed,
            f"the stream worker live, fed {LIVE_RATE:,}/s": self.live,
        }

    @property
    def measured(self) -> dict[str, float]:
        """What `docs/scaling.md` reckons with."""
        found = {
            f"{program}_us_an_event": 1e6 * seconds / self.whole.events for program, seconds in self.whole.cpu.items()
        }
        return found | self.sizes | {"resident_mib": max(self.whole.resident, default=0) / 2**20}


def main() -> None:
    """Runs the benchmark and prints its page."""
    parser = argparse.ArgumentParser(description="Throughput of the stream worker.")
    parser.add_argument("--events", type=int, default=EVENTS)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="quantwatch-bench-") as name:
        server, opened = Server(durable=True), open_kafka(Path(name))
        try:
            found = _bench(Stage(next(opened), server, Path(name)), given.events)
        finally:
            opened.close()
            server.remove()
    text = page(found.figures, found.readings, found.shared, found.measured, SEED, time.monotonic() - began)
    print(text)
    if given.out or given.events >= EVENTS:
        figures.write("stream", SEED, found.figures, text, given.out or figures.FOLDER, found.measured)


def _bench(stage: Stage, events: int) -> Found:
    few = min(FEW, events)
    small, stock = stage.topic(few, SEED + 1), stage.topic(min(STOCK, events), SEED + 2)
    compressed = stage.topic(few, SEED + 1, compression_type="zstd")
    stage.measure("ours", stock, stage.store(), min(STOCK, events))  # compiles, and fills caches
    live, visible = _live(stage)
    shared = {n: stage.measure("ours", small, stage.store(), few, n) for n in WORKERS}
    of_compressed = stage.measure("ours", compressed, stage.store(), few)
    of_stock = stage.measure("stock", stock, stage.store(), min(STOCK, events))
    empty = _empty(stage, stock, min(STOCK, events))
    topic, store = stage.topic(events, SEED), stage.store()
    sizes = {"kafka_bytes_an_event": stage.kept(topic) / events, "zstd_bytes_an_event": stage.kept(compressed) / few}
    before = stage.written(store)
    whole = stage.measure("ours", topic, store, events)
    rows, journal = (after - first for after, first in zip(stage.written(store), before, strict=True))
    sizes |= {"database_bytes_an_event": rows / events, "journal_bytes_an_event": journal / events}
    return Found(whole, of_stock, empty, of_compressed, live, visible, shared, sizes)


def _empty(stage: Stage, topic: str, events: int) -> Measured:
    with stage.working("empty", topic, stage.store()) as processes:
        count = told(processes[0])
        return stage.watch(processes, lambda: count[-1][1] if count else 0, events)


def _live(stage: Stage) -> tuple[Measured, float]:
    """Producer, broker, database and worker at once; the longest time from a message's write to its visible fact."""
    events, topic, store = LIVE_RATE * LIVE_SECONDS, stage.kafka.topic(PARTITIONS), stage.store()
    seen: Written = []

    def taken() -> int:
        number = sum(positions(store, topic).values())
        seen.append((time.monotonic(), number))
        return number

    with stage.working("ours", topic, store) as processes:
        producer = stage.fill(topic, events, SEED + 3, str(LIVE_RATE))
        written = told(producer)
        found = stage.watch(processes, taken, events)
        producer.wait()
    return found, _longest(written, seen)


def _longest(written: Written, seen: Written) -> float:
    """How long the slowest message took: for each write, when the store showed as many."""
    longest, at = 0.0, 0
    for when, number in written:
        while at < len(seen) - 1 and seen[at][1] < number:
            at += 1
        longest = max(longest, seen[at][0] - when)
    return longest


if __name__ == "__main__":
    main()
