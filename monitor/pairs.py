"""Pair facts: joint outcomes of the arms, and the distributions of paired differences.

For a yes/no signal a pair is counted in one joint cell of (logged, deployed, reference, second reference), each no,
yes or missing. For a value signal it is counted once per contrast, in the cell of its hash-rounded difference, and
once in the cell of the reference's own value.
Reasons for missing arms are counted beside. Marginals are derived from these counts, never stored in their place.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import product
from typing import Final

import numpy as np

from monitor.facts import Counts
from monitor.model import Arm, Definition, Missing
from monitor.outcomes import Outcomes, code, reason
from monitor.signals.family import sealed
from monitor.signals.score import DIFFERENCE_GRID, GRID, TOP, difference_cell, grid_cell

VALUES: Final = ("score", "length")
"""Signals whose arms give a value instead of yes or no."""

ARMS: Final = (Arm.LOGGED, Arm.DEPLOYED, Arm.REFERENCE, Arm.SECOND)
CONTRASTS: Final = (
    (Arm.LOGGED, Arm.REFERENCE),
    (Arm.LOGGED, Arm.DEPLOYED),
    (Arm.DEPLOYED, Arm.REFERENCE),
    (Arm.SECOND, Arm.REFERENCE),
)
JOINT: Final = 3 ** len(ARMS)
SPAN: Final = len(DIFFERENCE_GRID) + 1
OWN: Final = len(CONTRASTS) * SPAN
"""Where the reference's own values begin in a value signal's cells: one per point of `GRID`, then missing."""
REASONS: Final = tuple(f"{arm}:{missing}" for arm in ARMS for missing in Missing)

GAINS: Final = {"length": 4}
"""How much a signal's differences are magnified before they are cut off at the ends of the grid. Lengths lie on 16
octaves, but two answers to one prompt that differ by more than 4 octaves (16 times) are simply very different. Bets
must survive the whole range of a difference, and on 16 octaves they are too small to see a real shift."""


@dataclass(frozen=True, slots=True)
class Pair:
    """One replayed unit. `arms` holds the outcomes of the arms that answered; `mask` its slices."""

    pair_id: str
    deployment: str
    variant: str
    bucket: int
    mask: bytes
    level: int
    event_hash: int
    prompt_hash: int
    arms: dict[Arm, Outcomes]


def pair_definition(definition: Definition, *, value: bool) -> Definition:
    """The definition of a signal's pair facts, named after the live one."""
    if value:
        names = [f"{a}-{b}:{cell}" for a, b in CONTRASTS for cell in (*range(len(DIFFERENCE_GRID)), "missing")]
        names += [f"reference:{cell}" for cell in (*range(len(GRID)), "missing")]
    else:
        names = ["".join(cell) for cell in product("ny?", repeat=len(ARMS))]
    gain = GAINS.get(definition.signal, 1)
    return sealed(
        replace(definition, cells=(*names, *REASONS), yes=(), no=(), unit="pairs", version=definition.version),
        f"{definition.digest}x{gain}".encode(),
    )


def distinct(pairs: Iterable[Pair]) -> list[Pair]:
    """Of several copies of one prompt under one variant in a bucket, the one with the smallest keyed event hash."""
    chosen: dict[tuple[str, int, int], Pair] = {}
    for pair in pairs:
        key = (pair.variant, pair.bucket, pair.prompt_hash)
        if key not in chosen or pair.event_hash < chosen[key].event_hash:
            chosen[key] = pair
    return [chosen[key] for key in sorted(chosen)]


def pair_counts(pair: Pair, signal: str, *, value: bool) -> Counts:
    """The counts that one pair adds to a signal's cells; an arm that never answered is `timed_out`."""
    found = [pair.arms.get(arm, {}).get(signal, _absent(pair, arm)) for arm in ARMS]
    counts = np.zeros((OWN + len(GRID) + 1 if value else JOINT) + len(REASONS), dtype=np.int64)
    if value:
        for c, (a, b) in enumerate(CONTRASTS):
            left, right = found[ARMS.index(a)], found[ARMS.index(b)]
            both = left >= 0 and right >= 0
            apart = max(-TOP, min(TOP, GAINS.get(signal, 1) * (left - right)))
            counts[c * SPAN + (difference_cell(apart, 0, pair.event_hash) if both else SPAN - 1)] = 1
        own = found[ARMS.index(Arm.REFERENCE)]
        counts[OWN + (len(GRID) if own < 0 else grid_cell(own, pair.event_hash))] = 1
    else:
        cell = 0
        for outcome in found:
            cell = cell * 3 + (2 if outcome < 0 else outcome)
        counts[cell] = 1
    for index, outcome in enumerate(found):
        missing = reason(outcome)
        if missing is not None:
            counts[len(counts) - len(REASONS) + index * len(Missing) + tuple(Missing).index(missing)] = 1
    return counts


def _absent(pair: Pair, arm: Arm) -> int:
    """Why an arm has no outcome: a second reference is mostly not asked for; the others timed out."""
    return code(Missing.NOT_OBSERVED if arm is Arm.SECOND else Missing.TIMED_OUT)
