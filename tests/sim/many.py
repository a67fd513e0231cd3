"""Many seeds in one of several processes, and the hunt for a planted fault."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Final

from tests.sim.faults import planted
from tests.sim.seed import LOGS, Result, Simulation, simulation

PROCESSES: Final = 2


def seeds(end: int, part: int) -> list[str]:
    """Runs the seeds of one process, which are those of its logs; what failed."""
    logging.disable(logging.CRITICAL)
    failed = []
    with simulation() as runs:
        for seed in range(end):
            if seed % LOGS % PROCESSES == part and (text := said(runs.run(seed))):
                print(text, flush=True)
                failed.append(text)
    return failed


def hunt(name: str, most: int) -> int | None:
    """The first seed that finds a planted fault."""
    logging.disable(logging.CRITICAL)
    with simulation() as runs:
        return next(hunted(runs, name, most), None)


def hunted(runs: Simulation, name: str, most: int) -> Iterator[int]:
    """Seeds that find a planted fault."""
    for seed in range(most):
        runs.alone(seed)
        with planted(name):
            found = runs.run(seed)
        if found.broken:
            yield seed


def said(result: Result) -> str:
    """What a seed broke, with the command that repeats it; nothing of one that holds."""
    if not result.broken:
        return ""
    what = "; ".join(result.broken)
    return f"seed {result.seed} failed: {what}\n  again: make test-sim SIM_SEED={result.seed}"
