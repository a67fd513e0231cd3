"""`python -m tests.sim`: runs seeds on two processes, then the planted faults; `--seed N` repeats one and tells it.

What failed is printed at once with the command that repeats it. The last line sums up.
"""

from __future__ import annotations

import argparse
import logging
import multiprocessing
import sys
import time

from tests.sim.faults import FAULTS
from tests.sim.many import PROCESSES, hunt, said, seeds
from tests.sim.seed import simulation


def main() -> int:
    """0 if every seed holds and every planted fault is found."""
    given = _arguments()
    logging.disable(logging.CRITICAL)
    if given.seed is not None:
        return _repeat(given.seed)
    began = time.monotonic()
    with multiprocessing.get_context("spawn").Pool(PROCESSES) as pool:
        parts = [pool.apply_async(seeds, (given.seeds, part)) for part in range(PROCESSES)]
        hunts = [pool.apply_async(hunt, (name, given.hunt)) for name in FAULTS]
        failed = [line for part in parts for line in part.get()]
        found = dict(zip(FAULTS, [hunt.get() for hunt in hunts], strict=True))
    for name, seed in found.items():
        print(f"planted: {name}: " + ("NOT FOUND" if seed is None else f"found by seed {seed}"))
    caught = sum(seed is not None for seed in found.values())
    state = f"{len(failed)} seeds FAILED" if failed else "all hold"
    took = time.monotonic() - began
    print(f"simulation: {given.seeds:,} seeds in {took:.0f} s, {state}; {caught} of {len(FAULTS)} planted faults found")
    return int(bool(failed) or caught < len(FAULTS))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.sim", description=__doc__)
    parser.add_argument("--seeds", type=int, default=2_000, help="how many seeds are run, from 0 on")
    parser.add_argument("--seed", type=int, help="runs this one alone, and tells what happens in it")
    parser.add_argument("--hunt", type=int, default=300, help="how many seeds a planted fault is hunted with at most")
    return parser.parse_args()


def _repeat(seed: int) -> int:
    with simulation() as runs:
        result = runs.run(seed)
    print("\n".join(result.trace))
    print(said(result) or f"seed {seed} holds ({result.name})")
    return int(bool(result.broken))


if __name__ == "__main__":
    sys.exit(main())
