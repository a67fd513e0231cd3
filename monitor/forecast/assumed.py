"""What is assumed of pairs that nobody has seen yet: how often two arms differ, and what harm would look like.

A log shows how one build does, not how often a second one would differ on the same request. So it is assumed that a
share of all requests has two answers that are independent draws from what the log shows, and that the rest has two
equal ones: with a rate f of yes, each way f (1 - f) times that share differ. The shares are not invented: on the real
pairs of docs/real-pairs.md, scores of Llama 3.1 8B differ from fp16's as if 2 % of the answers at Q8_0, and 20 % at
Q4_K_M, were independent draws. Where the log brought enough pairs, they are taken instead.
"""

from __future__ import annotations

import numpy as np

from monitor.evidence.bets import SCORE_GRID, YES_NO
from monitor.forecast.meeting import Meeting
from monitor.forecast.traffic import Floats
from monitor.pairs import VALUES

FEW, USUAL, MANY = 0.02, 0.2, 0.5
"""Shares of requests whose two answers are independent: as at 8 bits, as at 4 bits, and beyond."""
ENOUGH = 100
"""Pairs in the log from which on they, and not the assumption, say how often arms differ."""


def measured(met: Meeting) -> bool:
    """Whether the log brought pairs enough to say how often arms differ."""
    return met.differences.size >= ENOUGH


def harmless(met: Meeting, independent: float) -> Floats:
    """Shares (J,) of pairs by harm where neither arm is worse, and this share of the answers is independent."""
    if measured(met):
        return _even(_histogram(met.differences, met.signal, smooth=0.5))
    if met.signal in VALUES:
        apart = _histogram((met.logged[:, None] - met.logged[None, :]).ravel(), met.signal, smooth=0.0)
        return _mixed(apart, independent)
    rate = (met.logged.sum() + 0.5) / (met.seen + 1.0)
    each = independent * rate * (1.0 - rate)
    return np.array([each, 1.0 - 2.0 * each, each])


def harmed(met: Meeting, shares: Floats, harm: float) -> Floats:
    """The same pairs where some answers got worse, so that the mean difference is `harm`.

    A yes/no signal turns; a score is lost whole; a length shifts.
    """
    worst = np.zeros(len(shares))
    if met.signal == "score":
        lost = _histogram(np.maximum(met.logged, 1 / 16), met.signal, smooth=0.0)
        worst, size = lost, float(lost @ np.array(SCORE_GRID))
    elif met.signal in VALUES:
        return _shifted(shares, harm)
    else:
        worst[-1], size = 1.0, 1.0
    turned = min(1.0, harm / size)
    return (1.0 - turned) * shares + turned * worst


def _histogram(differences: Floats, signal: str, smooth: float) -> Floats:
    """Differences on the signal's support, each between two points so that the mean is kept."""
    support = np.array(SCORE_GRID if signal in VALUES else YES_NO)
    place = (np.clip(differences, -1.0, 1.0) + 1.0) * ((len(support) - 1) / 2)
    low = np.minimum(np.floor(place).astype(np.int64), len(support) - 2)
    found = np.zeros(len(support))
    np.add.at(found, low, 1.0 - (place - low))
    np.add.at(found, low + 1, place - low)
    found[[0, -1]] += smooth
    return np.asarray(found / found.sum())


def _even(shares: Floats) -> Floats:
    """As many better as worse, and no more of either than there were of both."""
    return np.asarray((shares + shares[::-1]) / 2)


def _mixed(apart: Floats, independent: float) -> Floats:
    same = np.zeros(len(apart))
    same[len(apart) // 2] = 1.0
    return np.asarray(independent * _even(apart) + (1.0 - independent) * same)


def _shifted(shares: Floats, harm: float) -> Floats:
    """The shares moved up by `harm`, between the points of the grid."""
    return np.asarray(
        sum(
            share * _histogram(np.array([value + harm]), "length", smooth=0.0)
            for share, value in zip(shares, SCORE_GRID, strict=True)
        )
    )
