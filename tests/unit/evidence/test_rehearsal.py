"""A rehearsal settles when the check itself, given the same pairs, says harmful or clear."""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
import pytest

from monitor.evidence import latest
from monitor.evidence.bets import YES_NO
from monitor.evidence.check import Bar, assess_pairs
from monitor.evidence.paired import PairedCounts
from monitor.evidence.rehearsal import FIRST, PACE, Stage, rehearse

BAR = Bar(0.02, 0.001, 0.05)
QUIET, SHAKY, HARMED = (0.004, 0.992, 0.004), (0.05, 0.90, 0.05), (0.01, 0.94, 0.05)
MIXED = (0.002, 0.494, 0.004, 0.005, 0.485, 0.010)
"""Half of the pairs unweighted, half at a quarter of the weight, as where two inclusion levels meet."""


def settled(stage: Stage, shares: tuple[float, ...], towards: str, seed: int) -> float:
    """The same draws, look by look, through the check."""
    draws, sums, pairs = np.random.default_rng(seed), np.zeros(len(shares), np.int64), 0
    rule = latest.WindowRule(latest.size_for(BAR.tolerance, BAR.pass_alpha), BAR.pass_alpha)
    window, block = latest.fresh(len(shares)), 0
    while pairs < stage.most:
        step = int(max(FIRST, stage.block, pairs * (PACE - 1)))
        drawn = draws.multinomial(step, np.array(shares)[None, None, :])[0, 0]
        sums, pairs, block = sums + drawn, pairs + step, block + 1
        window = latest.advance(rule, window, drawn, block)
        counts = PairedCounts(stage.support, tuple(sums.tolist()), weights=stage.weights)
        result = assess_pairs(counts, BAR, rule, window)
        if result.harmful if towards == "fail" else result.clear:
            return float(pairs) if pairs <= stage.most else math.inf
    return math.inf


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize(
    ("shares", "towards", "weights"),
    [
        (QUIET, "pass", None),
        (SHAKY, "pass", None),
        (HARMED, "fail", None),
        (MIXED, "pass", (1.0,) * 3 + (0.25,) * 3),
        (MIXED, "fail", (1.0,) * 3 + (0.25,) * 3),
    ],
    ids=["quiet", "shaky, so that windows change", "harmed", "two weights pass", "two weights fail"],
)
def test_it_settles_when_the_check_does(
    shares: tuple[float, ...], towards: Literal["fail", "pass"], weights: tuple[float, ...] | None, seed: int
) -> None:
    stage = Stage(YES_NO * (len(shares) // 3), BAR, 5.0, 20_000.0, weights)
    own = rehearse(stage, np.array([shares]), towards, np.random.default_rng(seed), runs=1)
    assert own.tolist() == [[settled(stage, shares, towards, seed)]]


def test_assumptions_are_played_beside_each_other() -> None:
    stage = Stage(YES_NO, BAR, 5.0, 20_000.0)
    found = rehearse(stage, np.array([QUIET, SHAKY]), "pass", np.random.default_rng(4), runs=40)
    assert found.shape == (2, 40)
    assert np.median(found[0]) < np.median(found[1])


def test_what_takes_longer_than_the_most_is_never() -> None:
    stage = Stage(YES_NO, BAR, 5.0, 100.0)
    assert np.isinf(rehearse(stage, np.array([QUIET]), "pass", np.random.default_rng(5), runs=3)).all()
