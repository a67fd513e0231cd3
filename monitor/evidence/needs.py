"""How many more pairs an undecided check needs, if they go on as they have gone.

With p the observed shares (1/2 added to the least and the greatest outcome, so that one not seen yet is not
held to be impossible), the best bet's evidence grows a pair by

    g = max_k sum_j p_j log(1 + lambda_k (x_j - m)).

If g > 0 in a direction, evidence along the mean path counts + N p rises without end, and the answer is the
smallest N at which it reaches the threshold, to 1 % (found by doubling and halving, so the price of the mixture
is in). The direction that is reached first is the one the check heads for.
If the mean is at the margin, g is 0 both ways and the answer is never, as it is beyond ten million pairs.

Conditions: none are needed, as this is a forecast and no claim: half of all checks take longer. Before the first
pair the forecast assumes no harm and a discordance of `tolerance` each way.

Source: Waudby-Smith and Ramdas, JRSS-B 86 (2024), growth of log wealth; Kelly, "A new interpretation
of information rate", Bell Syst. Tech. J. 35 (1956).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from monitor.evidence.bets import Counts, Floats, Support, log_all_clear, log_evidence, log_wealth

NEVER = 1e7
NO_GROWTH = 1e-12
DOUBLINGS, HALVINGS = 24, 7
Evidence = Callable[[Floats], Floats]


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
    fail, clear = forecast(support, counts, tolerance, fail_threshold, clear_threshold, weights=weights)
    return need(float(fail), float(clear), pairs_per_second)


def need(fail: float, clear: float, pairs_per_second: float | None = None) -> Need | None:
    """The nearer of two forecasts as a `Need`; None where both are infinite."""
    pairs = min(fail, clear)
    if not np.isfinite(pairs):
        return None
    seconds = pairs / pairs_per_second if pairs_per_second else None
    return Need(int(pairs), seconds, "fail" if fail <= clear else "pass")


def forecast(
    support: Support,
    counts: Counts,
    tolerance: float,
    fail_threshold: float,
    clear_threshold: float | Floats,
    *,
    weights: Support | None = None,
) -> tuple[Floats, Floats]:
    """More pairs until a fail and until an all-clear: counts (..., J), both results (...), infinite for never."""
    sums = np.asarray(counts, np.float64)
    shares = _shares(support, sums, tolerance)
    mirrored = -np.asarray(support, np.float64)

    def harm(path: Floats) -> Floats:
        return log_evidence(support, path, tolerance, weights=weights)

    def clear(path: Floats) -> Floats:
        return log_all_clear(support, path, tolerance, weights=weights)

    falls = log_wealth(support, shares, tolerance, weights=weights).max(axis=0) > NO_GROWTH
    rises = log_wealth(mirrored, shares, -tolerance, weights=weights).max(axis=0) > NO_GROWTH
    return (
        np.where(falls, _pairs(harm, sums, shares, fail_threshold), np.inf),
        np.where(rises, _pairs(clear, sums, shares, clear_threshold), np.inf),
    )


def _shares(support: Support, sums: Floats, tolerance: float) -> Floats:
    values = np.asarray(support, np.float64)
    smooth = sums.copy()
    none_yet = sums.sum(axis=-1) == 0
    smooth[..., np.argmin(np.abs(values))] += np.where(none_yet, 0.5 / max(tolerance, 0.001), 0.0)
    smooth[..., np.argmin(values)] += 0.5
    smooth[..., np.argmax(values)] += 0.5
    return np.asarray(smooth / smooth.sum(axis=-1, keepdims=True))


def _pairs(evidence: Evidence, sums: Floats, shares: Floats, threshold: float | Floats) -> Floats:
    """The smallest N with evidence(sums + N shares) at the threshold; infinite beyond `NEVER`."""
    low, high = np.zeros(sums.shape[:-1]), np.ones(sums.shape[:-1])
    for _ in range(DOUBLINGS):
        short = evidence(sums + high[..., None] * shares) < threshold
        if not short.any():
            break
        low, high = np.where(short, high, low), np.where(short, 2.0 * high, high)
    for _ in range(HALVINGS):
        middle = 0.5 * (low + high)
        short = evidence(sums + middle[..., None] * shares) < threshold
        low, high = np.where(short, middle, low), np.where(short, high, middle)
    wait = np.where(high > NEVER, np.inf, np.ceil(high))
    return np.where(evidence(sums) >= threshold, 0.0, wait)
