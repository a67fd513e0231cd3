"""The numbers of `docs/scaling.md`: read from the benchmarks' files, and reckoned from them."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

BENCHMARKS = Path(__file__).parents[3] / "docs/benchmarks"
REQUESTS = 100_000
"""A second."""

LOAD = 0.5
"""The share of its measured rate that a worker is planned for: the rest catches up after an outage."""

COMMITS = 2
"""A second, of a worker: its batches last half a second at most."""

PAIRS, ARMS = 50_000, 2
WEEK, COPIES = 7, 3
REMEMBERED = 600
"""Seconds that ids and conversations are remembered: the lateness, and the horizon of a correction."""

_DAY = 86_400
_SEVERAL = "cpu_an_event_of_four_workers_by_one"


def measured() -> str:
    """What one worker was seen to do."""
    stream, ingest = _read("stream"), _read("ingest")
    promised = {each["name"]: each["value"] for each in (*stream["figures"], *ingest["figures"])}
    found, machine = stream["measured"], stream["machine"]
    rows: list[tuple[str, str, str]] = [
        ("one worker, from a full topic", f"{promised['preloaded']:,.0f} events/s", "stream"),
        ("one worker, live beside the producer", f"{promised['live']:,.0f} events/s", "stream"),
        ("from a message's write to its visible fact", f"{promised['produced_to_visible']:.2g} s at most", "stream"),
        ("CPU of the worker", f"{found['worker_us_an_event']:.1f} µs an event", "stream"),
        ("CPU of PostgreSQL", f"{found['database_us_an_event']:.1f} µs an event", "stream"),
        ("CPU of the broker, read once", f"{found['broker_us_an_event']:.1f} µs an event", "stream"),
        ("CPU an event of four workers, by one's", f"{promised[_SEVERAL]:.2f} times", "stream"),
        ("memory of a worker", f"{found['resident_mib']:,.0f} MiB", "stream"),
        ("Kafka's disk, not compressed", f"{found['kafka_bytes_an_event']:,.0f} bytes an event", "stream"),
        ("Kafka's disk, zstd", f"{found['zstd_bytes_an_event']:,.0f} bytes an event", "stream"),
        ("PostgreSQL's journal", f"{found['journal_bytes_an_event']:,.0f} bytes an event", "stream"),
        ("its tables, nothing sealed yet", f"{found['database_bytes_an_event']:,.0f} bytes an event", "stream"),
        ("the same path into SQLite", f"{promised['cost']:.2f} decodes", "ingest"),
    ]
    when = f"`stream`: {stream['date']}, `ingest`: {ingest['date']}; {machine['cores']} cores ({machine['cpu']})"
    return f"{_table(('measured', 'value', 'where'), rows)}\n{when}, all on one machine.\n"


def reckoned() -> str:
    """What 100,000 requests a second need."""
    stream = _read("stream")
    found = stream["measured"]
    rate = next(each["value"] for each in stream["figures"] if each["name"] == "preloaded")
    workers = math.ceil(REQUESTS / (LOAD * rate))
    bytes_kafka, journal = REQUESTS * found["zstd_bytes_an_event"], REQUESTS * found["journal_bytes_an_event"]
    a_day = bytes_kafka * _DAY / 1e12
    standing = REQUESTS * REMEMBERED * found["database_bytes_an_event"]
    return _table(
        ("needed", "value", "how"),
        [
            ("stream workers", f"{workers}", f"{REQUESTS:,} / ({LOAD:.0%} of {rate:,.0f})"),
            ("partitions", f"{2 * workers}", "two a worker: as many workers again can help to catch up"),
            ("cores of the workers", f"{workers}", "a worker fills one at most"),
            (
                "cores of PostgreSQL",
                _cores(found["database_us_an_event"]),
                "CPU an event, at most: fuller commits cost less",
            ),
            (
                "cores of the brokers",
                _cores(found["broker_us_an_event"]),
                "reading only; copies and writing come on top",
            ),
            ("commits", f"{COMMITS * workers} a second", f"{COMMITS} a worker"),
            ("PostgreSQL's journal", f"{journal / 1e6:,.0f} MB a second at most", "bytes an event"),
            (
                "PostgreSQL's open facts, ids and tails",
                f"{standing / 1e9:,.1f} GB at most",
                f"bytes an event of {REMEMBERED // 60} minutes; then they are sealed or forgotten",
            ),
            ("into Kafka", f"{bytes_kafka / 1e6:,.0f} MB a second", "zstd bytes an event"),
            (
                "Kafka's disk",
                f"{a_day:,.1f} TB a day, {a_day * WEEK * COPIES:,.0f} TB in all",
                f"{WEEK} days, {COPIES} copies",
            ),
            (
                f"replays, for {PAIRS:,} pairs a day",
                f"{PAIRS * ARMS / _DAY:.2f} a second",
                f"{ARMS} arms; `share: {PAIRS / (REQUESTS * _DAY):.1e}` of the requests",
            ),
        ],
    )


def _cores(micros: float) -> str:
    return f"{REQUESTS * micros / 1e6:.1f}"


def _read(name: str) -> Any:
    return json.loads((BENCHMARKS / f"{name}.json").read_text(encoding="utf-8"))


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"
