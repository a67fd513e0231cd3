"""A quantile's bounds at every look, from counts in fixed bins: latency in log-spaced bins, within one stratum.

The p-quantile lies in bin q, the first with P(bin <= q) >= p. For each bin j the bets of `bets` test the yes/no
outcome "bin <= j" against the known rate p:

    lower = 1 + max {j : E'_j >= 1/alpha_lower},  E'_j against "P(bin <= j) >= p";
    upper = min {j : E_j >= 1/alpha_upper},       E_j  against "P(bin <= j) <= p".

Guarantee: lower <= q <= upper at all looks at once with probability at least 1 - alpha_lower - alpha_upper. Nothing is
paid for the number of bins: counts at or below j rise with j, so a wrong lower bound needs E'_q itself to reach
1/alpha_lower, and a wrong upper one E_{q-1}; each is one e-process and Ville's inequality holds it.

Conditions: values of one stratum are independent with one distribution (a concurrent control keeps load and hour out:
see `concurrent`, which also says how soon a shift is found); bins fixed before; sums merge.

Source: Howard and Ramdas, "Sequential estimation of quantiles with applications to A/B testing and best-arm
identification", Bernoulli 28 (2022), theorem 1: a confidence sequence for a fixed quantile from the two tests of
counts at the quantile; here with betting in place of their sub-Bernoulli mixture.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from monitor.errors import IntegrityError
from monitor.evidence.bets import RATE, Counts, log_all_clear, log_evidence


@dataclass(frozen=True, slots=True)
class QuantileBand:
    """Bins by number: the estimate, None without values, and its bounds, both inclusive."""

    estimate: int | None
    lower: int
    upper: int


def quantile_band(counts: Counts, p: float, alpha: float) -> QuantileBand:
    """The band of the p-quantile from counts by bin (B,), alpha split equally. IntegrityError for a negative count."""
    sums = np.asarray(counts, np.int64)
    if (sums < 0).any():
        raise IntegrityError("a bin's count is negative")
    last, total = sums.size - 1, int(sums.sum())
    if total == 0:
        return QuantileBand(None, 0, last)
    below = np.cumsum(sums)
    table, bar = np.stack([total - below, below], axis=-1), -np.log(alpha / 2)
    under = np.flatnonzero(log_all_clear(RATE, table, p, high=1.0) >= bar)
    over = np.flatnonzero(log_evidence(RATE, table, p, low=0.0) >= bar)
    estimate = int(np.argmax(below >= p * total))
    return QuantileBand(estimate, int(under[-1]) + 1 if under.size else 0, int(over[0]) if over.size else last)
