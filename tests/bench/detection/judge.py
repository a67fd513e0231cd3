"""An automated-canary judge in the style of Kayenta's NetflixACAJudge, on one-minute points.

Mann-Whitney's 98 % interval for the shift between sixty points here and sixty of the baseline (Hodges and Lehmann;
normal approximation of the order statistics); "high" if its lower limit exceeds a quarter of the estimate. A look
every thirty minutes, once there are sixty points.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from tests.bench.detection.streams import Stream

POINTS, EVERY, PER_MINUTE, Z = 60, 30, 50, 2.3263478740408408
Floats = npt.NDArray[np.float64]


def high(here: Floats, baseline: Floats) -> npt.NDArray[np.bool_]:
    """The judge's word on points (R, 60) against points (R, 60)."""
    n, m = here.shape[1], baseline.shape[1]
    shifts = np.sort((here[:, :, None] - baseline[:, None, :]).reshape(len(here), -1), axis=1)
    rank = max(0, math.floor(n * m / 2 - Z * math.sqrt(n * m * (n + m + 1) / 12)))
    estimate, lower = np.median(shifts, axis=1), shifts[:, rank]
    return np.asarray((lower > 0.25 * estimate) & (estimate > 0))


def looks(here: Floats, baseline: Floats) -> tuple[list[int], npt.NDArray[np.bool_]]:
    """Minutes of the looks over points (R, M) and what the judge says at each, (L, R); one baseline or one a look."""
    minutes = list(range(POINTS, here.shape[1] + 1, EVERY))
    said = [
        high(here[:, end - POINTS : end], baseline if baseline.shape[1] == POINTS else baseline[:, end - POINTS : end])
        for end in minutes
    ]
    return minutes, np.array(said)


def per_minute(stream: Stream) -> Floats:
    """Failure rates by minute, at fifty units a minute."""
    minutes = stream.shape[1] // PER_MINUTE
    return stream[:, : minutes * PER_MINUTE].reshape(len(stream), minutes, PER_MINUTE).mean(axis=2)


def first_alarms(stream: Stream, baseline: Stream, quiet: int = 0) -> Floats:
    """Units read after `quiet` at the first look after it that says high; infinite for none."""
    minutes, said = looks(per_minute(stream), per_minute(baseline)[:, :POINTS])
    units = np.array(minutes, float) * PER_MINUTE
    said &= (units > quiet)[:, None]
    return np.where(said.any(axis=0), units[said.argmax(axis=0)] - quiet, np.inf)
