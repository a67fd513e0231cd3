"""How many more pairs an undecided check needs, if they go on as they have gone.

With p the observed shares (1/2 added to the least and the greatest outcome, so that one not seen yet is not
held to be impossible), the best bet's evidence grows a pair by

    g = max_k sum_j p_j log(1 + lambda_k (x_j - m)).

If g > 0 in a direction, evidence along the mean path counts + N p rises without end, and the answer is the
smallest N at which it reaches the threshold (found by doubling and halving, so the price of the mixture is in).
If the mean is at the margin, g is 0 both ways and the answer is never.

Conditions: none are needed, as this is a forecast and no claim: half of all checks take longer. Before the first
pair the forecast assumes no harm and a discordance of `tolerance` each way.

Source: Waudby-Smith and Ramdas, JRSS-B 86 (2024), section 4 (growth of log wealth); Kelly, "A new interpretation
of information rate", Bell Syst. Tech. J. 35 (1956).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from monitor.evidence.bets import Counts, Floats, Support, log_all_clear, log_evidence, log_wealth

NEVER = 1e9
Evidence = Callable[[Floats], float]


@dataclass(frozen=True, slots=True)
class Need:
    """More pairs, at least 0, until the check is settled `towards` fail or pass; seconds where a pace is known."""

    pairs: int
    seconds: float | None
    towards: Literal["fail", "pass"]


def needs(
    support: Support,
    counts: Counts,
    tolerance: float,
    fail_threshold: float,
    clear_threshold: float,
    *,
    pairs_per_second: float | None = None,
    weights: Support | None = None,
) -> Need | None:
    """The forecast for one check, counts (J,), thresholds in log evidence; None when it would never be settled."""
    sums = np.asarray(counts, np.float64)
    shares = _shares(support, sums, tolerance)
    mirrored = -np.asarray(support, np.float64)

    def harm(path: Floats) -> float:
        return float(log_evidence(support, path, tolerance, weights=weights))

    def clear(path: Floats) -> float:
        return float(log_all_clear(support, path, tolerance, weights=weights))

    fail = clear_at = None
    if log_wealth(support, shares, tolerance, weights=weights).max() > 1e-12:
        fail = _pairs(harm, sums, shares, fail_threshold)
    if log_wealth(mirrored, shares, -tolerance, weights=weights).max() > 1e-12:
        clear_at = _pairs(clear, sums, shares, clear_threshold)
    if fail is None and clear_at is None:
        return None
    pairs = min(n for n in (fail, clear_at) if n is not None)
    seconds = pairs / pairs_per_second if pairs_per_second else None
    return Need(pairs, seconds, "fail" if pairs == fail else "pass")


def _shares(support: Support, sums: Floats, tolerance: float) -> Floats:
    values = np.asarray(support, np.float64)
    smooth = sums.copy()
    if not sums.any():
        smooth[np.argmin(np.abs(values))] = max(0.5 / tolerance - 1.0, 0.0)
    smooth[np.argmin(values)] += 0.5
    smooth[np.argmax(values)] += 0.5
    return np.asarray(smooth / smooth.sum())


def _pairs(evidence: Evidence, sums: Floats, shares: Floats, threshold: float) -> int | None:
    """The smallest N with evidence(sums + N shares) at the threshold, to 1 %; None beyond `NEVER`."""
    if evidence(sums) >= threshold:
        return 0
    low, high = 0.0, 1.0
    while evidence(sums + high * shares) < threshold:
        low, high = high, 2.0 * high
        if high > NEVER:
            return None
    while high - low > max(0.5, 0.01 * high):
        middle = 0.5 * (low + high)
        low, high = (low, middle) if evidence(sums + middle * shares) >= threshold else (middle, high)
    return math.ceil(high)
