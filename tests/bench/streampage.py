"""The page of the stream benchmark."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tests.bench import figures
from tests.bench.figures import Figure
from tests.bench.observed import Measured
from tests.bench.stage import PARTITIONS


def page(
    found: Sequence[Figure],
    readings: Mapping[str, Measured],
    shared: Mapping[int, Measured],
    measured: Mapping[str, float],
    seed: int,
    seconds: float,
) -> str:
    """All of it."""
    machine, whole = figures.machine(), next(iter(readings.values()))
    head = (
        f"# The stream worker\n\n`make bench-stream`, {figures.today()}, seed {seed}, {machine['cores']} cores "
        f"({machine['cpu']}), Python {machine['python']}; Apache Kafka and PostgreSQL on the same cores, {PARTITIONS} "
        "partitions, all live signals, nothing sampled. Every reading begins with the first events that are visible.\n"
    )
    return (
        f"{head}\n{figures.promised(found)}\n{_readings(readings)}\n"
        "CPU seconds are those of the worker's process; by the clock it shares the cores with broker, database and, "
        f"live, the producer.\n\n## Workers\n\n{_shared(shared)}\n"
        f"## Sizes\n\n{_sizes(measured)}\n## Memory\n\n{_memory(whole)}\n"
        f"The whole benchmark took {seconds:.0f} s.\n"
    )


def _readings(readings: Mapping[str, Measured]) -> str:
    rows = [
        (name, f"{one.events:,}", f"{one.rate:,.0f}", f"{one.per_cpu:,.0f}", f"{one.cpu['worker'] / one.seconds:.0%}")
        for name, one in readings.items()
    ]
    return figures.table(("reading", "events", "events/s", "events a CPU second", "of one core"), rows)


def _shared(shared: Mapping[int, Measured]) -> str:
    rows = [
        (str(number), f"{one.events:,}", f"{one.rate:,.0f}", f"{1e6 * one.cpu['worker'] / one.events:.1f}")
        for number, one in shared.items()
    ]
    return figures.table(("workers of one topic", "events", "events/s", "CPU µs an event"), rows)


def _sizes(measured: Mapping[str, float]) -> str:
    rows = [(name.replace("_", " "), f"{value:,.1f}") for name, value in measured.items()]
    return figures.table(("measured", "value"), rows)


def _memory(whole: Measured) -> str:
    seen = whole.resident or [0]
    rows = [(f"{share} %", f"{seen[(len(seen) - 1) * share // 100] / 2**20:.0f}") for share in (10, 25, 50, 75, 100)]
    return figures.table(("taken", "resident MiB"), rows)
