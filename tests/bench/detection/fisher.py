"""Fixed windows, each tested by Fisher's exact test against a baseline; Bonferroni over the windows of 10,000 units.

The window is the best in hindsight: the one with the least median delay on the very streams it is measured on.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.stats import hypergeom

from tests.bench.detection.streams import Stream

WINDOWS = (50, 100, 200, 400, 800, 1_600, 3_200)
HORIZON = 10_000
KNOWN = 1_000_000
"""Baseline units that stand for a known rate."""


def first_alarms(
    stream: Stream, yes: int, units: int, window: int, alpha: float, quiet: int = 0
) -> npt.NDArray[np.float64]:
    """Units read after `quiet` at the end of the first window that is significant and ends after it."""
    count = stream.shape[1] // window
    sums = stream[:, : count * window].reshape(len(stream), count, window).sum(axis=2, dtype=np.int64)
    level = alpha / -(-HORIZON // window)
    k = np.arange(window + 1)
    significant = hypergeom.sf(k - 1, units + window, yes + k, window) <= level
    ends = (np.arange(count) + 1) * window
    hit = significant[sums] & (ends > quiet)
    return np.where(hit.any(axis=1), ends[hit.argmax(axis=1)] - quiet, np.inf)


def best(stream: Stream, rate: float, alpha: float, quiet: int, horizon: int) -> float:
    """The least median delay over all windows, misses counted as the horizon."""
    yes = round(KNOWN * rate)
    found = (first_alarms(stream, yes, KNOWN, window, alpha, quiet) for window in WINDOWS)
    return min(float(np.median(np.minimum(delays, horizon))) for delays in found)
