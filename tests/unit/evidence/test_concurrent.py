"""Two arms in one block: the factor against an independent implementation, and its expectation by enumeration."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import binom, nchypergeom_fisher

from monitor.errors import IntegrityError
from monitor.evidence import concurrent
from monitor.evidence.concurrent import ODDS, gains


@pytest.mark.parametrize(("counts", "ratio"), [((3, 50, 1, 60), 1.0), ((10, 500, 2, 30), 1.2), ((0, 8, 5, 9), 2.0)])
def test_the_factor_is_a_ratio_of_noncentral_hypergeometrics(counts: tuple[int, ...], ratio: float) -> None:
    k, n, k0, n0 = counts
    found = gains(*counts, ratio)
    for rho, log_factor in zip(ODDS, found, strict=True):
        one = nchypergeom_fisher.logpmf(k, n + n0, k + k0, n, ratio * rho)
        assert log_factor == pytest.approx(one - nchypergeom_fisher.logpmf(k, n + n0, k + k0, n, ratio), abs=1e-10)


@pytest.mark.parametrize(("rate", "odds"), [(0.1, 1.0), (0.4, 1.3), (0.6, 0.5)])
def test_its_expectation_is_at_most_one_over_everything_that_can_happen(rate: float, odds: float) -> None:
    """Tolerated odds 1.3; one block of 7 units here and 5 in the control, every outcome with its chance."""
    here = rate * odds / (1 - rate + rate * odds)
    k, k0 = np.meshgrid(np.arange(8), np.arange(6), indexing="ij")
    chance = binom.pmf(k, 7, here) * binom.pmf(k0, 5, rate)
    expected = (chance * np.exp(gains(k, 7, k0, 5, 1.3))).sum(axis=(1, 2))
    assert (expected <= 1.0 + 1e-12).all()
    assert odds != 1.3 or expected == pytest.approx(np.ones(ODDS.size))


def test_a_block_that_compares_nothing_says_nothing() -> None:
    for counts in ((5, 9, 0, 0), (0, 0, 3, 8), (0, 9, 0, 8), (9, 9, 8, 8)):
        assert not gains(*counts).any()


def test_evidence_is_the_mixture_of_the_products() -> None:
    blocks = np.random.default_rng(2).integers(0, 9, (12, 2))
    sums = np.exp(gains(blocks[:, 0], 20, blocks[:, 1], 20).sum(axis=1))
    last = concurrent.log_evidence(blocks[:, 0], 20, blocks[:, 1], 20)[-1]
    assert last == pytest.approx(math.log(sums.mean()))


def test_a_batch_equals_one_by_one_bit_for_bit() -> None:
    rng = np.random.default_rng(3)
    k, k0 = rng.integers(0, 12, (2, 30, 5))
    together = concurrent.log_evidence(k, 40, k0, 30)
    for i in range(5):
        assert concurrent.log_evidence(k[:, i], 40, k0[:, i], 30).tolist() == together[:, i].tolist()


def test_many_yes_in_a_block_neither_overflow_nor_underflow() -> None:
    assert np.isfinite(gains(90_000, 200_000, 80_000, 200_000)).all()


def test_more_yes_than_units_cannot_be() -> None:
    with pytest.raises(IntegrityError):
        gains(4, 3, 0, 5)
    with pytest.raises(IntegrityError):
        gains(1, 3, -1, 5)
