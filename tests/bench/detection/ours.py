"""Our evidence over the benchmark's arrays: the product's own functions, block by block, for all runs at once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from monitor.evidence import cusum
from monitor.evidence.levels import Bank
from tests.bench.detection.streams import Ints, Stream


def singles(units: int) -> Ints:
    """Block ends of single-unit blocks."""
    return np.arange(1, units + 1)


def first_alarms(bank: Bank, stream: Stream, ends: Ints | None = None, quiet: int = 0) -> npt.NDArray[np.float64]:
    """Units read after `quiet` at each run's first alarm after it; infinite for none.

    An earlier alarm starts the detector anew, as in the product.
    """
    runs, units = stream.shape
    ends = singles(units) if ends is None else ends
    state = cusum.fresh(bank, (runs,))
    found, begin = np.full(runs, np.inf), 0
    turned = np.ascontiguousarray(stream.T)
    for end in ends.tolist():
        yes = turned[begin] if end - begin == 1 else turned[begin:end].sum(axis=0, dtype=np.int64)
        state = cusum.update(bank, state, yes, np.full(runs, end - begin), end)
        hit = cusum.alarmed(bank, state)
        begin = end
        if not hit.any():
            continue
        if end <= quiet:
            state = cusum.restart(state, hit)
            continue
        found[hit & np.isinf(found)] = end - quiet
        if np.isfinite(found).all():
            break
    return found


def alarm_share(bank: Bank, stream: Stream, ends: Ints | None = None) -> int:
    """Runs with an alarm."""
    return int(np.isfinite(first_alarms(bank, stream, ends)).sum())


def median(found: npt.NDArray[np.float64], horizon: float) -> float:
    """The median with misses counted as the horizon."""
    return float(np.median(np.minimum(found, horizon)))


def reached(evidence: Sequence[npt.NDArray[np.float64]] | npt.NDArray[np.float64], threshold: float) -> Ints:
    """The first block (T, R) at which evidence reached the threshold, from 1; 0 for never."""
    table = np.asarray(evidence) >= threshold
    return np.where(table.any(axis=0), table.argmax(axis=0) + 1, 0)
