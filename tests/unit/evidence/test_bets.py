"""The e-process against independent arithmetic, exact expectations and the laws of sums."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import logsumexp

from monitor.evidence.bets import (
    LOG_WEIGHTS,
    RATE,
    SCORE_GRID,
    SHARES,
    YES_NO,
    log_all_clear,
    log_evidence,
    log_wealth,
)

COUNTS = st.lists(st.integers(0, 400), min_size=3, max_size=3).map(np.array)
MARGINS = st.floats(-0.9, 0.9)


def by_hand(units: list[float], margin: float, low: float = -1.0) -> float:
    """sum_k w_k prod_i (1 + lambda_k (x_i - m)), unit by unit, no logarithms."""
    total = 0.0
    for share, log_weight in zip(SHARES, LOG_WEIGHTS, strict=True):
        stake = share / (margin - low)
        total += math.exp(log_weight) * math.prod(1.0 + stake * (x - margin) for x in units)
    return total


def test_stakes_stay_strictly_inside_and_weights_are_a_distribution() -> None:
    assert SHARES.size == 48
    assert 0.0 < SHARES.min() <= SHARES.max() < 1.0
    assert math.fsum(np.exp(LOG_WEIGHTS)) == pytest.approx(1.0, abs=1e-14)
    with pytest.raises(ValueError, match="read-only"):
        SHARES[0] = 0.5


@pytest.mark.parametrize(
    ("counts", "margin"),
    [((0, 0, 0), 0.05), ((0, 15, 25), 0.05), ((3, 80, 7), 0.02), ((10, 0, 0), -0.3), ((1, 200, 0), 0.0)],
)
def test_equals_the_product_unit_by_unit(counts: tuple[int, int, int], margin: float) -> None:
    units = [x for x, n in zip(YES_NO, counts, strict=True) for _ in range(n)]
    assert math.exp(log_evidence(YES_NO, counts, margin)) == pytest.approx(by_hand(units, margin), rel=1e-12)


def test_scores_equal_the_product_unit_by_unit() -> None:
    counts = np.arange(33) % 4
    units = [x for x, n in zip(SCORE_GRID, counts, strict=True) for _ in range(n)]
    assert math.exp(log_evidence(SCORE_GRID, counts, 0.1)) == pytest.approx(by_hand(units, 0.1), rel=1e-12)


def test_large_counts_equal_scipy_in_the_log_domain() -> None:
    counts = np.array([40_000, 9_900_000, 60_000])
    factors = [np.log(1 + SHARES / 1.001 * (x - 0.001)) for x in YES_NO]
    expected = logsumexp(sum(n * f for n, f in zip(counts, factors, strict=True)) + LOG_WEIGHTS)
    assert log_evidence(YES_NO, counts, 0.001) == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize(
    ("counts", "margin", "expected"),
    [
        ((0, 16, 24), 0.05, 10.415424783871412422),
        ((5, 990, 5), -0.005, 0.77092785739203608502),
        ((3, 80, 17), 0.02, 3.1916727321939086448),
        ((40_000, 9_900_000, 60_000), 0.001, 499.91984440462890485),
    ],
)
def test_fifty_digit_arithmetic_agrees(counts: tuple[int, int, int], margin: float, expected: float) -> None:
    """Pinned: a changed grid or weighting changes every ledger, so these digits move only on purpose."""
    assert log_evidence(YES_NO, counts, margin) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("margin", [-0.4, 0.0, 0.1, 0.7])
def test_expectation_at_the_margin_is_exactly_one(margin: float) -> None:
    """All 3^6 sequences of a process whose spread depends on its past and whose mean never leaves the margin."""
    expected = 0.0
    for path in itertools.product(YES_NO, repeat=6):
        chance = 1.0
        for i, x in enumerate(path):
            spread = 1.0 if sum(path[:i]) > 0 else max(abs(margin), 0.3)
            up, down = (spread + margin) / 2, (spread - margin) / 2
            chance *= {1.0: up, -1.0: down, 0.0: 1 - up - down}[x]
        counts = [path.count(x) for x in YES_NO]
        expected += chance * math.exp(log_evidence(YES_NO, counts, margin))
    assert expected == pytest.approx(1.0, abs=1e-12)


def test_expectation_inside_the_null_is_below_one() -> None:
    for up, down in ((0.1, 0.1), (0.0, 0.3), (0.3, 0.29)):
        expected = sum(
            up ** path.count(1)
            * down ** path.count(-1)
            * (1 - up - down) ** path.count(0)
            * math.exp(log_evidence(YES_NO, [path.count(x) for x in (-1, 0, 1)], 0.05))
            for path in itertools.product((-1, 0, 1), repeat=5)
        )
        assert expected < 1.0


@settings(derandomize=True, deadline=None, max_examples=60)
@given(st.lists(COUNTS, min_size=2, max_size=6), st.randoms(use_true_random=False), MARGINS)
def test_order_and_shards_do_not_matter(blocks: list[np.ndarray], random: object, margin: float) -> None:
    whole = log_evidence(YES_NO, sum(blocks), margin)
    shuffled = blocks.copy()
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert log_evidence(YES_NO, sum(shuffled), margin) == whole
    added = sum(log_wealth(YES_NO, block, margin) for block in blocks)
    assert np.allclose(added, log_wealth(YES_NO, sum(blocks), margin), rtol=1e-9, atol=1e-9)


@settings(derandomize=True, deadline=None, max_examples=60)
@given(COUNTS, MARGINS, MARGINS)
def test_a_higher_margin_leaves_less_evidence(counts: np.ndarray, one: float, other: float) -> None:
    low, high = sorted((one, other))
    assert log_evidence(YES_NO, counts, high) <= log_evidence(YES_NO, counts, low) + 1e-9


@settings(derandomize=True, deadline=None, max_examples=60)
@given(COUNTS, MARGINS)
def test_all_clear_is_the_mirror_image(counts: np.ndarray, margin: float) -> None:
    mirrored = log_evidence(YES_NO, counts[::-1], -margin)
    assert log_all_clear(YES_NO, counts, margin) == pytest.approx(mirrored, rel=1e-12, abs=1e-12)


def test_a_check_alone_equals_the_same_check_in_a_grid_bit_for_bit() -> None:
    rng = np.random.default_rng(1)
    for support, high in ((YES_NO, 10_000), (SCORE_GRID, 300)):
        counts = rng.integers(0, high, (97, len(support)))
        grid = log_evidence(support, counts, 0.02)
        assert [float(log_evidence(support, row, 0.02)) for row in counts] == grid.tolist()
        assert log_evidence(support, counts, np.full(97, 0.02)).tolist() == grid.tolist()
        assert log_evidence(support, counts[13:40], 0.02).tolist() == grid[13:40].tolist()


def test_no_counts_are_no_evidence() -> None:
    assert log_evidence(YES_NO, (0, 0, 0), 0.02) == pytest.approx(0.0, abs=1e-14)


def test_equal_weights_of_one_change_nothing() -> None:
    counts = (4, 60, 9)
    weighted = log_evidence(YES_NO, counts, 0.03, weights=(1.0, 1.0, 1.0))
    assert weighted == log_evidence(YES_NO, counts, 0.03)


def test_a_rate_bets_on_its_own_range() -> None:
    units = [0.0] * 30 + [1.0] * 10
    assert math.exp(log_evidence(RATE, (30, 10), 0.1, low=0.0)) == pytest.approx(by_hand(units, 0.1, 0.0))


@pytest.mark.parametrize(("margin", "low"), [(-1.0, -1.0), (0.0, 0.0)])
def test_a_margin_at_the_edge_is_refused(margin: float, low: float) -> None:
    with pytest.raises(ValueError, match="margin must lie above"):
        log_evidence(YES_NO, (1, 1, 1), margin, low=low)


def test_counts_of_another_length_are_refused() -> None:
    with pytest.raises(ValueError, match="the support has shape"):
        log_evidence(YES_NO, (1, 2), 0.1)


def test_speed_targets_in_pairs() -> None:
    """What the design asks: an even half per cent is cleared within 3,500 pairs; a collapse shows in forty."""
    assert log_all_clear(YES_NO, np.array([17.5, 3465.0, 17.5]), 0.005) >= math.log(20)
    assert log_evidence(YES_NO, (0, 16, 24), 0.05) >= math.log(1e4)
