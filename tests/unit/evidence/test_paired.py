"""The front of gating checks: what counts as a pair, and what one assessment says."""

from __future__ import annotations

import numpy as np
import pytest

from monitor.errors import IntegrityError
from monitor.evidence import latest
from monitor.evidence.bets import SCORE_GRID, YES_NO, log_evidence
from monitor.evidence.check import Bar, PairedResult, assess_grid, assess_pairs, evidences
from monitor.evidence.paired import PairedCounts, across_levels, from_differences, from_joint, from_totals

BAR = Bar(tolerance=0.05, fail_alpha=0.001, pass_alpha=0.05)
RULE = latest.WindowRule(latest.size_for(0.05, 0.05), 0.05)


def joint(*cells: tuple[tuple[int, int, int, int], int]) -> np.ndarray:
    """Joint counts with these (logged, deployed, reference, second) cells filled."""
    table = np.zeros((3, 3, 3, 3), np.int64)
    for place, n in cells:
        table[place] = n
    return table


def test_pairs_need_the_logged_and_the_reference_arm_only() -> None:
    table = joint(((1, 2, 0, 2), 7), ((0, 2, 1, 2), 3), ((1, 1, 1, 1), 5), ((0, 0, 2, 2), 2), ((2, 0, 0, 0), 4))
    pairs = from_joint(table)
    assert (pairs.counts, pairs.n, pairs.worse, pairs.better, pairs.excluded) == ((3, 5, 7), 15, 7, 3, 6)
    assert pairs.excluded_share == pytest.approx(6 / 21)
    assert from_joint(table, "less").counts == (7, 5, 3)


def test_a_drop_in_score_is_harm() -> None:
    counts = np.zeros(33, np.int64)
    counts[0], counts[20] = 3, 2
    pairs = from_differences(counts, 1)
    assert (pairs.worse, pairs.better, pairs.n) == (3, 2, 5)
    assert pairs.support == SCORE_GRID
    assert from_differences(counts, 1, "more").worse == 2


def test_totals_must_fit() -> None:
    assert from_totals(7, 3, 15).counts == (3, 5, 7)
    with pytest.raises(IntegrityError):
        from_totals(7, 9, 15)
    with pytest.raises(IntegrityError):
        PairedCounts(YES_NO, (1, 1, 1), excluded=-1)


def test_levels_are_weighted_by_the_smallest_declared_one() -> None:
    part = from_totals(5, 1, 50, 2)
    both = across_levels([(0.1, part), (1.0, from_totals(9, 0, 30, 1))], 0.1)
    assert both.weights == (1.0,) * 3 + (0.1,) * 3
    assert (both.n, both.excluded) == (80, 3)
    early = across_levels([(1.0, part), (0.1, from_totals(0, 0, 0))], 0.1)
    assert early.weights[:3] == both.weights[3:]
    with pytest.raises(ValueError, match="smallest declared"):
        across_levels([(0.05, part)], 0.1)


def assess(pairs: PairedCounts, blocks: list[tuple[int, ...]]) -> PairedResult:
    """The result where the window was folded from these blocks."""
    return assess_pairs(pairs, BAR, RULE, latest.fold(RULE, blocks), pairs_per_second=0.5)


def test_a_collapse_fails_on_forty_pairs() -> None:
    result = assess(from_totals(24, 0, 40), [(0, 16, 24)])
    assert (result.harmful, result.clear, result.need) == (True, False, None)
    assert result.log_evidence > np.log(1e4)
    assert result.harm.lower > BAR.tolerance
    assert result.harm.estimate == 0.6


def test_a_long_good_record_passes_on_both_anchors() -> None:
    result = assess(from_totals(20, 20, 2000), [(10, 980, 10)] * 2)
    assert (result.harmful, result.clear, result.need) == (False, True, None)
    assert result.harm.upper < BAR.tolerance
    assert result.latest.upper < BAR.tolerance
    assert result.latest_log_all_clear >= result.latest_threshold


def test_a_bad_latest_window_holds_what_the_whole_record_would_pass() -> None:
    blocks = [(10, 980, 10)] * 5 + [(10, 400, 70)] * 3
    sums = np.sum(blocks, axis=0)
    result = assess(PairedCounts(YES_NO, tuple(sums.tolist())), blocks)
    assert result.log_all_clear >= BAR.clear_threshold
    assert not result.clear
    assert not result.harmful
    assert result.latest.estimate > result.harm.estimate


def test_an_undecided_check_says_how_many_more_pairs() -> None:
    result = assess(from_totals(1, 1, 100), [(1, 98, 1)])
    assert not result.clear
    assert result.need.towards == "pass"
    assert result.need.seconds == result.need.pairs / 0.5


def test_no_pairs_is_undecided_with_nothing_known() -> None:
    result = assess_pairs(from_totals(0, 0, 0), BAR, RULE, latest.fresh(3))
    assert (result.harmful, result.clear, result.harm.upper) == (False, False, None)
    assert result.log_evidence == pytest.approx(0.0)
    assert result.need.pairs > 100


def test_a_window_cannot_hold_more_than_all_pairs() -> None:
    with pytest.raises(IntegrityError, match="window"):
        assess(from_totals(1, 1, 10), [(1, 20, 1)])


def test_a_grid_equals_its_checks() -> None:
    counts = np.random.default_rng(10).integers(0, 300, (500, 3))
    harm, clear = evidences(YES_NO, counts, 0.02)
    assert harm.shape == clear.shape == (500,)
    assert harm[77] == log_evidence(YES_NO, counts[77], 0.02)


def test_a_whole_grid_is_assessed_as_each_check_alone() -> None:
    rng = np.random.default_rng(11)
    blocks = rng.multinomial(40, rng.dirichlet((2, 30, 4), size=12), size=(30, 12))
    sums, window = blocks.sum(axis=0), latest.fold(RULE, blocks)
    grid = assess_grid(YES_NO, sums, np.arange(12), BAR, RULE, window, pace=np.full(12, 0.5))
    for i, result in enumerate(grid):
        pairs = PairedCounts(YES_NO, tuple(sums[i].tolist()), excluded=i)
        alone = assess_pairs(pairs, BAR, RULE, latest.fold(RULE, blocks[:, i]), pairs_per_second=0.5)
        assert alone == result
    assert {(r.harmful, r.clear) for r in grid} >= {(True, False), (False, False)}


def test_unequally_sampled_pairs_are_assessed_with_their_weights() -> None:
    pairs = across_levels([(0.1, from_totals(5, 5, 800)), (1.0, from_totals(60, 0, 200))], 0.1)
    result = assess_pairs(pairs, BAR, RULE, latest.fold(RULE, [pairs.counts]))
    assert result.harm.estimate == pytest.approx(60 / 8200)
    assert not result.harmful
