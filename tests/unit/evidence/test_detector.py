"""The Shiryaev-Roberts recursion against its definition, and its state's laws."""

from __future__ import annotations

import math

import numpy as np
import pytest

from monitor.evidence import detector
from monitor.evidence.bets import LOG_WEIGHTS, YES_NO, log_wealth

BLOCKS = np.array([[2, 30, 1], [0, 0, 0], [1, 25, 9], [0, 20, 8], [3, 40, 2]])


def fold(blocks: np.ndarray, margin: float = 0.05) -> detector.DetectorState:
    """The state after these blocks, numbered from 0."""
    state = detector.fresh(blocks.shape[1:-1])
    for number, counts in enumerate(blocks):
        state = detector.update(state, YES_NO, counts, margin, number)
    return state


def test_equals_the_sum_over_all_starts() -> None:
    """M_t = sum over starts s of sum_k w_k prod_{i=s..t} L_i: the definition, without the recursion."""
    filled = [b for b in BLOCKS if b.sum()]
    wealth = [np.exp(log_wealth(YES_NO, b, 0.05)) for b in filled]
    expected = sum(float(np.exp(LOG_WEIGHTS) @ np.prod(wealth[start:], axis=0)) for start in range(len(filled)))
    assert math.exp(detector.log_value(fold(BLOCKS))) == pytest.approx(expected, rel=1e-12)


def test_empty_blocks_change_nothing() -> None:
    state, again = fold(BLOCKS[:1]), fold(BLOCKS[:2])
    assert all(np.array_equal(getattr(state, name), getattr(again, name)) for name in state.__slots__)
    assert detector.log_value(detector.fresh()) == -math.inf
    assert detector.change_start(detector.fresh()) == detector.NOT_STARTED


def test_a_batch_equals_one_by_one_bit_for_bit() -> None:
    table = np.random.default_rng(3).integers(0, 20, (15, 11, 3))
    together = fold(table)
    for i in range(11):
        alone = fold(table[:, i])
        assert float(detector.log_value(alone)) == float(detector.log_value(together)[i])
        assert int(detector.change_start(alone)) == int(detector.change_start(together)[i])


def test_states_are_never_written_to() -> None:
    state = fold(BLOCKS[:2])
    copy = state.log_m.copy()
    detector.update(state, YES_NO, BLOCKS[3], 0.05, 2)
    detector.restart(state, True)
    assert np.array_equal(state.log_m, copy)


def test_the_start_is_the_block_of_the_change() -> None:
    quiet, loud = np.array([1, 48, 1]), np.array([0, 30, 20])
    blocks = np.stack([quiet] * 12 + [loud] * 3)
    assert detector.change_start(fold(blocks)) == 12


def test_restart_touches_only_the_alarmed() -> None:
    state = fold(np.random.default_rng(4).integers(0, 20, (6, 2, 3)))
    after = detector.restart(state, [True, False])
    assert detector.log_value(after)[0] == -math.inf
    assert detector.log_value(after)[1] == detector.log_value(state)[1]
    assert after.blocks.tolist() == [0, 6]


def test_patience_is_split_over_checks() -> None:
    assert detector.log_patience(86_400.0, 60.0, 1) == pytest.approx(math.log(1440))
    assert detector.log_patience(86_400.0, 60.0, 20) == pytest.approx(math.log(28_800))
    with pytest.raises(ValueError, match="shorter than one block"):
        detector.log_patience(30.0, 60.0, 1)
