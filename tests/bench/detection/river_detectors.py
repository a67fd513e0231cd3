"""river's ADWIN and PageHinkley, as shipped and with their one dial turned until 5 % of null streams alarm.

Bifet and Gavalda, "Learning from time-changing data with adaptive windowing", SDM (2007); Page (1954).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
from river.drift import ADWIN, PageHinkley

from tests.bench.detection.streams import Stream

Make = Callable[[float], Any]
HALVINGS = 6


def adwin(delta: float = 0.002) -> Any:
    """ADWIN at this confidence; river's own default is 0.002."""
    return ADWIN(delta=delta)


def page_hinkley(threshold: float = 50.0) -> Any:
    """PageHinkley for rises at this threshold; river's own default is 50."""
    return PageHinkley(threshold=threshold, mode="up")


def first_alarms(make: Callable[[], Any], stream: Stream, quiet: int = 0) -> npt.NDArray[np.float64]:
    """Units read after `quiet` at the first alarm after it; infinite for none. They start anew by themselves."""
    found = np.full(len(stream), np.inf)
    for run, units in enumerate(stream.tolist()):
        detector = make()
        for t, x in enumerate(units):
            detector.update(x)
            if detector.drift_detected and t >= quiet:
                found[run] = t + 1 - quiet
                break
    return found


def calibrated(make: Make, nulls: Stream, alpha: float, strict: float, loose: float) -> float:
    """The dial between `strict` and `loose` (on a log scale) at which about a share alpha of the nulls alarms."""
    for _ in range(HALVINGS):
        middle = float(np.sqrt(strict * loose))
        share = np.isfinite(first_alarms(lambda at=middle: make(at), nulls)).mean()
        strict, loose = (middle, loose) if share <= alpha else (strict, middle)
    return strict
