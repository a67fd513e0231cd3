"""Bets on bounded outcomes, as a function of sums only: the e-process behind every gating check.

Null: every outcome x lies in [low, high] and E[x | past] <= m. A bettor who keeps the share c of her wealth on
the stock (x - low) / (m - low) and the rest in cash multiplies it by

    1 - c + c (x - low) / (m - low)  =  1 + lambda (x - m),    lambda = c / (m - low),  0 < c < 1,

a positive factor whose conditional expectation is at most 1. For fixed weights w_k over fixed shares c_k

    E(m) = sum_k w_k prod_j (1 + lambda_k (x_j - m))^(n_j)

is a mixture of non-negative supermartingales that starts at 1, so Ville's inequality gives
P(E(m) >= 1/alpha at any look) <= alpha. For low = -1, lambda lies strictly within (0, 1 / (1 + m)).

Conditions: outcomes bounded as stated; the bound on the conditional mean holds for each counted unit given all
units before it (units are independent draws, or a martingale difference: copies and turns of one conversation
break it, see tests/statistical); looks and block ends do not peek at later outcomes. Nothing is asked of how
counts are cut into blocks or shards: E depends on the sums n_j alone, so order is free, sums merge, and the
incremental value equals the recomputed one.

With `weights` (v_j in (0, 1], smallest inclusion probability over the unit's own) the factor is
1 + lambda v_j (x_j - m): the null is then about the population that was sampled from unequally, as
E[v (x - m) | past] <= 0 for the inverse-probability mean.

E(m) falls as m grows, which is what makes `interval` an inversion by bisection.

Sources: Waudby-Smith and Ramdas, "Estimating means of bounded random variables by betting", JRSS-B 86 (2024),
capital processes and their mixtures over bets; Howard, Ramdas, McAuliffe and Sekhon, "Time-uniform,
nonparametric, nonasymptotic confidence sequences", Ann. Statist. 49 (2021), mixture boundaries; Ville, "Etude
critique de la notion de collectif" (1939); Shafer, "Testing by betting", JRSS-A 184 (2021). Constant shares in
cash and stock, mixed: Cover, "Universal portfolios", Math. Finance 1 (1991).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from monitor.evidence.mixture import log_mixed

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Counts = npt.ArrayLike
Support = Floats | tuple[float, ...]

YES_NO: tuple[float, ...] = (-1.0, 0.0, 1.0)
"""Support of a difference of two yes/no outcomes; its counts are (c, n - b - c, b)."""

SCORE_GRID: tuple[float, ...] = tuple(i / 16 for i in range(-16, 17))
"""Support of a difference of two scores in [0, 1], rounded so that the mean is kept; exact in binary."""

RATE: tuple[float, ...] = (0.0, 1.0)
"""Support of one yes/no outcome; its counts are (no, yes). Use with low = 0 and high = 1."""


def _frozen(values: Floats) -> Floats:
    values.setflags(write=False)
    return values


SHARES: Floats = _frozen(np.geomspace(0.002, 0.98, 48))
"""The c_k: 48 shares of wealth, log-spaced; neighbours differ by 14 %, which costs under 0.5 % of the growth."""

_density = SHARES * (1.0 - SHARES) * (1.0 + 4.0 * SHARES * (1.0 - SHARES))
LOG_WEIGHTS: Floats = _frozen(np.log(_density / _density.sum()))
"""log w_k: the density (1 - c) (1 + 4 c (1 - c)) per unit of c, highest around a quarter: see decision 19."""


def log_wealth(
    support: Support,
    counts: Counts,
    margin: float | Floats,
    *,
    low: float = -1.0,
    weights: Support | None = None,
) -> Floats:
    """Log wealth of each single bet against "E[x | past] <= margin", shape (48, ...).

    `support` has shape (J,), `counts` (..., J); `margin` is one number in (low, high) or has shape (...).
    ValueError for a margin at or under `low`, or for counts of another length than the support.
    """
    values, sums, bound = _checked(support, counts, margin, low)
    batch = np.broadcast_shapes(sums.shape[:-1], bound.shape)
    growth = _growth(values, bound, low, weights)
    total = np.zeros((SHARES.size, *batch))
    for j in range(values.size):
        total += growth[..., j].reshape(_aligned(bound, batch)) * sums[..., j]
    return total


def _checked(support: Support, counts: Counts, margin: float | Floats, low: float) -> tuple[Floats, Floats, Floats]:
    values, sums = np.asarray(support, np.float64), np.asarray(counts, np.float64)
    bound = np.asarray(margin, np.float64)
    if sums.shape[-1:] != values.shape:
        raise ValueError(f"counts end in {sums.shape[-1:]}, the support has shape {values.shape}")
    if np.any(bound <= low):
        raise ValueError(f"a margin must lie above {low}, the least possible outcome")
    return values, sums, bound


def _growth(values: Floats, bound: Floats, low: float, weights: Support | None) -> Floats:
    """Log factor of each bet for each outcome, shape (48, ..., J)."""
    scale = np.ones_like(values) if weights is None else np.asarray(weights, np.float64)
    stock = scale * (values - bound[..., None]) / (bound[..., None] - low)
    return np.log1p(SHARES.reshape((-1,) + (1,) * stock.ndim) * stock)


def _aligned(bound: Floats, batch: tuple[int, ...]) -> tuple[int, ...]:
    """The shape of per-bet values that broadcasts over a batch with the bets in front."""
    return (SHARES.size, *(1,) * (len(batch) - bound.ndim), *bound.shape)


def log_mixture(wealth: Floats) -> Floats:
    """log sum_k w_k exp(wealth_k) over the first axis; summed one by one, so equal in any batch."""
    weighted = wealth + LOG_WEIGHTS.reshape((-1,) + (1,) * (wealth.ndim - 1))
    peak = weighted.max(axis=0)
    total = np.add.accumulate(np.exp(weighted - peak), axis=0)[-1]
    return np.asarray(peak + np.log(total))


def log_evidence(
    support: Support,
    counts: Counts,
    margin: float | Floats,
    *,
    low: float = -1.0,
    weights: Support | None = None,
) -> Floats:
    """Natural log of the e-value against "harm <= margin", shape (...); shapes and errors as in `log_wealth`.

    Reaching log(1/alpha) at any look has probability at most alpha while the null is true.
    """
    values, sums, bound = _checked(support, counts, margin, low)
    batch = np.broadcast_shapes(sums.shape[:-1], bound.shape)
    growth = np.moveaxis(_growth(values, bound, low, weights), 0, -2).reshape(-1, SHARES.size, values.size)
    which = np.broadcast_to(np.arange(bound.size).reshape(bound.shape), batch).reshape(-1)
    rows = np.ascontiguousarray(np.broadcast_to(sums, (*batch, values.size)).reshape(-1, values.size))
    mixed = log_mixed(np.ascontiguousarray(growth), np.ascontiguousarray(which), LOG_WEIGHTS, rows)
    return np.asarray(mixed.reshape(batch))


def log_all_clear(
    support: Support,
    counts: Counts,
    margin: float | Floats,
    *,
    high: float = 1.0,
    weights: Support | None = None,
) -> Floats:
    """The same against "harm >= margin" (E[x | past] >= margin), by betting on -x against -margin."""
    mirrored = -np.asarray(support, np.float64)
    return log_evidence(mirrored, counts, -np.asarray(margin, np.float64), low=-high, weights=weights)
