"""How long until a check is settled: the evidence itself, played through on pairs drawn from assumed shares.

Nothing is approximated but the looks: they come at pair counts that grow by `PACE` (and by at least a block), so a
time is known to that much. Both anchors of a pass are played, with the windows of `latest`.

Conditions: none are needed, as this is a forecast and no claim. The draws come from the caller's generator, so the
same seed gives the same forecast.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from monitor.evidence import latest
from monitor.evidence.bets import Floats, Support, log_all_clear, log_evidence
from monitor.evidence.check import Bar

PACE = 1.03
FIRST = 8
RUNS = 100

Draws = np.random.Generator


@dataclass(frozen=True, slots=True)
class Stage:
    """What is played: pairs on `support` (weighted or not), `block` of them a look at least, `most` at the longest."""

    support: Support
    bar: Bar
    block: float
    most: float
    weights: Support | None = None


def rehearse(stage: Stage, shares: Floats, towards: Literal["fail", "pass"], draws: Draws, runs: int = RUNS) -> Floats:
    """Pairs until each run is settled that way, (B, runs), for assumed `shares` (B, J); infinite beyond `most`."""
    sums = np.zeros((len(shares), runs, len(stage.support)), np.int64)
    rule = latest.WindowRule(latest.size_for(stage.bar.tolerance, stage.bar.pass_alpha), stage.bar.pass_alpha)
    window = latest.fresh(len(stage.support), sums.shape[:2])
    settled, pairs, block = np.full(sums.shape[:2], np.inf), 0, 0
    while pairs < stage.most and np.isinf(settled).any():
        step = int(max(FIRST, stage.block, pairs * (PACE - 1)))
        drawn = draws.multinomial(step, np.broadcast_to(shares[:, None, :], sums.shape))
        sums, pairs, block = sums + drawn, pairs + step, block + 1
        if towards == "fail":
            done = log_evidence(stage.support, sums, stage.bar.tolerance, weights=stage.weights)
            reached = done >= stage.bar.fail_threshold
        else:
            window = latest.advance(rule, window, drawn, block)
            reached = _clear(stage, sums, rule, window)
        settled = np.where(reached & np.isinf(settled), float(pairs), settled)
    return np.where(settled > stage.most, np.inf, settled)


def _clear(
    stage: Stage, sums: np.ndarray, rule: latest.WindowRule, window: latest.WindowState
) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    """Which runs are clear on both anchors."""
    tolerance, weights = stage.bar.tolerance, stage.weights
    whole = log_all_clear(stage.support, sums, tolerance, weights=weights) >= stage.bar.clear_threshold
    recent = log_all_clear(stage.support, window.counts, tolerance, weights=weights)
    return np.asarray(whole & (recent >= rule.threshold(window.window)))
