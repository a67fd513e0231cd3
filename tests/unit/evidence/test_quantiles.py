"""Bounds of a quantile from bins, and the tail against a control."""

from __future__ import annotations

import math

import numpy as np
import pytest

from monitor.errors import IntegrityError
from monitor.evidence import tail
from monitor.evidence.quantiles import quantile_band


def bins(values: np.ndarray) -> np.ndarray:
    return np.bincount(values, minlength=40)


def test_the_estimate_is_the_bin_of_the_sample_quantile() -> None:
    values = np.random.default_rng(1).integers(0, 40, 501)
    band = quantile_band(bins(values), 0.95, 0.05)
    assert band.estimate == np.sort(values)[math.ceil(0.95 * 501) - 1]
    assert band.lower <= band.estimate <= band.upper


def test_a_band_narrows_with_its_counts_and_is_everything_without() -> None:
    counts = np.full(40, 30)
    few, many = quantile_band(counts, 0.5, 0.05), quantile_band(100 * counts, 0.5, 0.05)
    assert few.lower < many.lower <= 19 <= many.upper < few.upper
    nothing = quantile_band(np.zeros(40, int), 0.5, 0.05)
    assert (nothing.estimate, nothing.lower, nothing.upper) == (None, 0, 39)


def test_negative_counts_cannot_be() -> None:
    with pytest.raises(IntegrityError):
        quantile_band(np.array([3, -1]), 0.5, 0.05)


def table(rng: np.random.Generator, blocks: int, slower: int = 0) -> np.ndarray:
    """Counts (blocks, 2, 40) of 60 values a stratum, the second stratum slower by ten bins."""
    values = np.clip(rng.normal([[[12], [22]]], 3, (blocks, 2, 60)).astype(int) + slower, 0, 39)
    return np.array([[bins(stratum) for stratum in block] for block in values])


def test_an_edge_knows_only_the_blocks_before() -> None:
    control = table(np.random.default_rng(2), 12)
    changed = control.copy()
    changed[7:] = changed[7:, :, ::-1]
    before, after = tail.edges(control, 0.9), tail.edges(changed, 0.9)
    assert np.array_equal(before[:8], after[:8])
    assert not np.array_equal(before[8:], after[8:])
    assert (before[:2] == -1).all()


def test_a_longer_tail_is_found_and_an_equal_or_tolerated_one_is_not() -> None:
    rng = np.random.default_rng(3)
    control, here, slow = table(rng, 60), table(rng, 60), table(rng, 60, slower=2)
    assert tail.log_evidence(slow, control, 0.95).max() > math.log(1000)
    assert tail.log_evidence(here, control, 0.95).max() < math.log(20)
    assert tail.log_evidence(slow, control, 0.95, shift=2).max() < math.log(20)
