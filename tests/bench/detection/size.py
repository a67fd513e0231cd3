"""How many runs: enough to measure by, or few enough for five minutes."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Size:
    """Numbers of runs. `slow` are the streams that detectors in plain Python also see, the first ones of each array."""

    nulls: int
    delays: int
    slow: int
    baselines: int
    quiet: int
    paired: int
    months: int
    latency: int
    scenarios: int


FULL = Size(
    nulls=10_000, delays=4_000, slow=200, baselines=4_000, quiet=2_000, paired=6_000, months=400, latency=1_000,
    scenarios=200,
)  # fmt: skip
REDUCED = Size(
    nulls=1_000, delays=400, slow=20, baselines=200, quiet=200, paired=300, months=20, latency=60, scenarios=60
)
