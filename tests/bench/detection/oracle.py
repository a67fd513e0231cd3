"""The oracle: a CUSUM that knows both rates, its threshold the 95 % point of its own maximum on null streams.

Page (1954); with both rates known no detector of the same false-alarm rate has a shorter worst mean delay (Moustakides,
"Optimal stopping times for detecting changes in distributions", Ann. Statist. 14 (1986)).
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from numba import njit

from tests.bench.detection.streams import Stream


def scores(before: float, after: float) -> tuple[float, float]:
    """What a yes and a no add."""
    return math.log(after / before), math.log((1 - after) / (1 - before))


def calibrated(nulls: Stream, before: float, after: float, alpha: float) -> float:
    """The threshold that a share alpha of the null streams reaches."""
    return float(np.quantile(_maxima(nulls, *scores(before, after)), 1.0 - alpha))


def first_alarms(stream: Stream, before: float, after: float, threshold: float, quiet: int) -> npt.NDArray[np.float64]:
    """Units read after `quiet` at the first alarm after it, infinite for none; an earlier alarm starts it anew."""
    return _first(stream, *scores(before, after), threshold, quiet)


@njit(cache=True)
def _maxima(stream: Stream, up: float, down: float) -> npt.NDArray[np.float64]:
    found = np.zeros(stream.shape[0])
    for run in range(stream.shape[0]):
        score = 0.0
        for x in stream[run]:
            score = max(score, 0.0) + (up if x else down)
            found[run] = max(found[run], score)
    return found


@njit(cache=True)
def _first(stream: Stream, up: float, down: float, threshold: float, quiet: int) -> npt.NDArray[np.float64]:
    found = np.full(stream.shape[0], np.inf)
    for run in range(stream.shape[0]):
        score = 0.0
        for t in range(stream.shape[1]):
            score = max(score, 0.0) + (up if stream[run, t] else down)
            if score >= threshold:
                if t >= quiet:
                    found[run] = t + 1 - quiet
                    break
                score = 0.0
    return found
