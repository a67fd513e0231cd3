"""200 scenarios of blame: is the main cause right, do the intervals cover, is a share ever given of nothing?"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from monitor.evidence.attribution import attribute
from tests.bench.detection import periods
from tests.bench.detection.periods import BUSIER, SHIFTED, USUAL, World
from tests.bench.detection.row import Row
from tests.bench.detection.size import Size
from tests.bench.figures import Figure, table

PAIRS, TOLERANCE, ALPHA = 20_000, 0.005, 0.05
CAUSE_GOAL, COVER_GOAL = 0.95, 0.95
KINDS = ("quantization", "serving", "load", "traffic", "two at once", "nothing")


def worlds(number: int, seed: int) -> Iterator[tuple[str, World]]:
    """Scenarios in turn: one cause of 3 to 8 points, two of which one is twice the other, or none."""
    rng = np.random.default_rng(seed)
    for index in range(number):
        kind, size = KINDS[index % len(KINDS)], float(rng.uniform(0.03, 0.08))
        if kind == "quantization":
            yield kind, World(quantization=size)
        elif kind == "serving":
            yield kind, World(engine=size)
        elif kind == "load":
            yield kind, World(busy=float(rng.uniform(0.5, 0.9)))
        elif kind == "traffic":
            yield kind, World(mix=USUAL + rng.uniform(0.7, 1.3) * (SHIFTED - USUAL))
        elif kind == "two at once":
            yield kind, [World(size, size / 2), World(size / 2, size), World(size, busy=BUSIER - 0.3)][index % 3]
        else:
            yield kind, World()


def row(size: Size, seed: int) -> Row:
    """All scenarios; nothing happening is right when it is undetermined."""
    right, covered, shares, counted = dict.fromkeys(KINDS, 0), 0, 0, dict.fromkeys(KINDS, 0)
    for index, (kind, world) in enumerate(worlds(size.scenarios, seed)):
        before, now = periods.both(world, PAIRS, seed + 1 + index)
        found, truth = attribute(before, now, TOLERANCE, ALPHA), world.truth(before, now)
        main = max(truth, key=lambda cause: truth[cause]) if kind != "nothing" else "undetermined"
        counted[kind] += 1
        right[kind] += found.cause == main
        covered += all(_holds(found.contributions[cause], value) for cause, value in truth.items())
        zero = found.total.lower is None or found.total.lower <= 0 <= (found.total.upper or 0.0)
        shares += zero and bool(found.shares)
    total = sum(counted.values())
    rows = [(kind, str(counted[kind]), f"{right[kind] / max(1, counted[kind]):.0%}") for kind in KINDS]
    text = (
        f"{total} scenarios, {PAIRS:,} pairs a period, three slices whose mix may shift while each keeps its rate,\n"
        "two load strata. `nothing` is right when the cause is undetermined.\n\n"
        + table(("scenario", "number", "main cause right"), rows)
        + f"\nAll four intervals held their true contributions in {covered / total:.1%} of the scenarios. Shares were\n"
        f"given of a total that may be zero in {shares}.\n"
    )
    figures = [
        Figure("blame_main_cause_right", sum(right.values()) / total, "of scenarios", CAUSE_GOAL, "higher"),
        Figure("blame_intervals_cover", covered / total, "of scenarios", COVER_GOAL, "higher"),
        Figure("blame_shares_of_a_total_that_may_be_zero", float(shares), "scenarios", 0.0),
    ]
    return Row("Blame", figures, text)


def _holds(interval: object, value: float) -> bool:
    lower, upper = getattr(interval, "lower", None), getattr(interval, "upper", None)
    return lower is not None and upper is not None and lower <= value <= upper
