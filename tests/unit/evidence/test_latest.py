"""Windows are cut by counts alone, hold at least one epoch, and spend one alpha together beside the first."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.errors import IntegrityError
from monitor.evidence import latest

RULE = latest.WindowRule(100, 0.05)


def test_the_budget_over_all_windows_after_the_first_is_alpha() -> None:
    later = RULE.share(np.arange(2, 100_000))
    assert later.sum() <= 0.05
    assert later.sum() == pytest.approx(0.05, rel=1e-4)
    assert RULE.share(np.arange(41, 100_000)).sum() <= 0.05 / 40


def test_the_first_window_asks_what_the_whole_record_asks() -> None:
    assert RULE.threshold(1) == pytest.approx(np.log(20))
    assert RULE.threshold(2) == pytest.approx(np.log(40))


def test_epochs_grow_with_their_bar() -> None:
    assert RULE.length(1) == 100
    assert RULE.length(100) == np.ceil(100 * np.log(100 * 101 / 0.05) / np.log(40))


def test_the_window_moves_when_an_epoch_is_full() -> None:
    blocks = np.full((9, 3), 20)
    seen = []
    state = latest.fresh(3)
    for number, counts in enumerate(blocks, 50):
        state = latest.advance(RULE, state, counts, number)
        seen.append((int(state.counts.sum()), int(state.window), int(state.start)))
    assert seen[:2] == [(60, 1, 50), (120, 1, 50)]
    assert seen[3:6] == [(240, 1, 50), (180, 2, 52), (240, 2, 52)]
    assert seen[-1] == (240, 3, 55)


@settings(derandomize=True, deadline=None, max_examples=50)
@given(st.lists(st.lists(st.integers(0, 60), min_size=3, max_size=3), min_size=1, max_size=25), st.integers(0, 24))
def test_recomputed_equals_resumed(blocks: list[list[int]], cut: int) -> None:
    whole = latest.fold(RULE, blocks)
    state = latest.fold(RULE, blocks[:cut]) if blocks[:cut] else latest.fresh(3)
    for number, counts in list(enumerate(blocks))[cut:]:
        state = latest.advance(RULE, state, counts, number)
    assert all(np.array_equal(getattr(whole, name), getattr(state, name)) for name in state.__slots__)


def test_a_window_holds_at_least_one_whole_epoch_and_ends_now() -> None:
    blocks = np.random.default_rng(5).integers(0, 30, (200, 3))
    state = latest.fresh(3)
    for number, counts in enumerate(blocks):
        state = latest.advance(RULE, state, counts, number)
        assert np.array_equal(state.counts, blocks[int(state.start) : number + 1].sum(axis=0))
        assert state.done == 0 or state.counts.sum() >= RULE.length(state.window)


def test_a_batch_equals_one_by_one() -> None:
    blocks = np.random.default_rng(6).integers(0, 40, (40, 7, 3))
    together = latest.fold(RULE, blocks)
    for i in range(7):
        alone = latest.fold(RULE, blocks[:, i])
        assert np.array_equal(alone.counts, together.counts[i])
        assert (alone.window, alone.start) == (together.window[i], together.start[i])


def test_negative_counts_cannot_be() -> None:
    with pytest.raises(IntegrityError):
        latest.advance(RULE, latest.fresh(3), [0, -1, 0], 0)


def test_the_default_size_follows_the_tolerance() -> None:
    assert latest.size_for(0.005, 0.05) == 4427
    assert latest.size_for(0.05, 0.05) == 443
    assert latest.size_for(0.0, 0.05) == latest.size_for(0.001, 0.05)
