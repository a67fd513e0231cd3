"""How long the slow waits are, in milliseconds with bounds: here, and at what they are held against."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from monitor.control import QUANTILE
from monitor.evidence.quantiles import QuantileBand, quantile_band
from monitor.live import latency_bins
from monitor.series import Series
from monitor.signals.latency import EDGES

Span = tuple[float, float | None]
"""Milliseconds from and to; None where there is no end."""


@dataclass(frozen=True, slots=True)
class Waits:
    """The 95 % quantile of a latency in one stratum: its bounds here and there, which hold at every look together."""

    stratum: int
    here: Span
    there: Span


def waits(
    signal: str, here: Sequence[Series], there: Sequence[Series], alpha: float, stratum: int | None = None
) -> Waits:
    """The bounds from all units of both, but for a chance of alpha; without a stratum, in the one with most units.

    A quantile is one of a stratum: over all of them it would move with load and length.
    """
    arms = [_total(series) for series in (here, there)]
    units = np.minimum(*(arm.sum(axis=-1) for arm in arms))
    which = int(np.argmax(units)) if stratum is None else stratum
    spans = [_span(signal, quantile_band(arm[which], QUANTILE, alpha / 2)) for arm in arms]
    return Waits(which, spans[0], spans[1])


def _total(parts: Sequence[Series]) -> NDArray[np.int64]:
    """Counts by stratum and bin, (S, B)."""
    return np.asarray(sum(latency_bins(series).sum(axis=0) for series in parts), np.int64)


def _span(signal: str, band: QuantileBand) -> Span:
    """From the lower edge of the lower bin to the upper edge of the upper one; the first and the last bin are open."""
    edges = EDGES[signal]
    lower = edges[band.lower - 1] / 1_000 if band.lower else 0.0
    return lower, edges[band.upper] / 1_000 if band.upper < len(edges) else None
