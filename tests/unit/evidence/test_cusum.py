"""The bank of CUSUMs: its levels, its state's laws, and what cannot be."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.errors import IntegrityError
from monitor.evidence import cusum, levels
from monitor.evidence.cusum import BankState
from monitor.evidence.levels import SPENT, Bank
from monitor.evidence.runlength import Part, false_alarm

BANK = levels.known_rate(0.02, 10_000, 0.05)
BLOCKS = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 30)), min_size=1, max_size=40)


def parts(bank: Bank) -> list[tuple[int, int, int]]:
    return list(zip(bank.up.tolist(), bank.down.tolist(), bank.level.tolist(), strict=True))


def read(bank: Bank, blocks: list[tuple[int, int]]) -> BankState:
    """The state after (yes, no) blocks, numbered from 7."""
    state = cusum.fresh(bank)
    for number, (yes, no) in enumerate(blocks, 7):
        state = cusum.update(bank, state, yes, yes + no, number)
    return state


def same(left: BankState, right: BankState) -> bool:
    return all(np.array_equal(getattr(left, name), getattr(right, name)) for name in BankState.__slots__)


@pytest.mark.parametrize("rate", [0.001, 0.01, 0.05, 0.2, 0.5, 0.9])
def test_levels_keep_the_promise_and_spend_most_of_it(rate: float) -> None:
    bank = levels.known_rate(rate, 10_000, 0.05)
    spent = false_alarm(parts(bank), int(bank.every), rate, 10_000)
    assert 0.8 * SPENT * 0.05 <= spent <= SPENT * 0.05
    assert (bank.up * bank.every * rate < bank.down).all(), "a score must fall at the base rate"


def test_scores_need_no_levels() -> None:
    bare, yes = levels.laid_out(0.02), np.random.default_rng(6).binomial(50, 0.04, 30)
    table = (yes, np.full(30, 50), np.arange(30))
    assert same(cusum.fold(bare, *table), cusum.fold(BANK, *table))
    assert (BANK.level >= BANK.up).all(), "so a score of zero is no alarm"


def test_a_lattice_is_close_to_the_likelihood_ratio() -> None:
    assert (BANK.up * BANK.step).tolist() == pytest.approx(np.log(levels.ODDS).tolist(), rel=0.1)
    per_unit = BANK.down * BANK.step / BANK.every
    assert per_unit.tolist() == pytest.approx(np.log1p((np.array(levels.ODDS) - 1) * 0.02).tolist(), rel=1e-12)


@settings(derandomize=True, deadline=None, max_examples=60)
@given(BLOCKS)
def test_a_fold_is_one_update_a_block(blocks: list[tuple[int, int]]) -> None:
    table = np.array(blocks)
    folded = cusum.fold(BANK, table[:, 0], table.sum(axis=1), np.arange(7, 7 + len(table)))
    assert same(folded, read(BANK, blocks))


@settings(derandomize=True, deadline=None, max_examples=60)
@given(BLOCKS, st.integers(0, 39))
def test_going_on_from_a_state_is_computing_anew(blocks: list[tuple[int, int]], cut: int) -> None:
    state = read(BANK, blocks[:cut]) if blocks[:cut] else cusum.fresh(BANK)
    for number, (yes, no) in list(enumerate(blocks, 7))[cut:]:
        state = cusum.update(BANK, state, yes, yes + no, number)
    assert same(state, read(BANK, blocks))


@settings(derandomize=True, deadline=None, max_examples=100)
@given(st.lists(st.integers(0, 1), min_size=1, max_size=300), st.lists(st.integers(1, 40), min_size=1, max_size=300))
def test_wider_blocks_never_stand_higher_than_single_units(units: list[int], widths: list[int]) -> None:
    """What makes the promise for single units one for all blocks."""
    bank = levels.known_rate(0.2, 500, 0.05)
    singles, peaks = cusum.fresh(bank), []
    for t, x in enumerate(units):
        singles = cusum.update(bank, singles, x, 1, t)
        peaks.append(singles.score)
    state, end = cusum.fresh(bank), 0
    for width in widths:
        begin, end = end, min(end + width, len(units))
        if begin == end:
            break
        state = cusum.update(bank, state, sum(units[begin:end]), end - begin, end)
        assert (state.score <= peaks[end - 1]).all()


def test_order_within_a_block_and_shards_do_not_matter() -> None:
    whole = cusum.update(BANK, cusum.fresh(BANK), 7, 90, 1)
    shards = np.array([[3, 40], [0, 20], [4, 30]]).sum(axis=0)
    assert same(whole, cusum.update(BANK, cusum.fresh(BANK), *shards.tolist(), 1))


def test_a_batch_of_banks_equals_each_alone() -> None:
    banks = [levels.known_rate(rate, 10_000, 0.05) for rate in (0.01, 0.02, 0.05)]
    blocks = np.random.default_rng(4).binomial(40, 0.05, (60, 3))
    together = cusum.fresh(levels.stacked(banks), (3,))
    for number, yes in enumerate(blocks):
        together = cusum.update(levels.stacked(banks), together, yes, np.full(3, 40), number)
    for i, bank in enumerate(banks):
        alone = cusum.fold(bank, blocks[:, i], np.full(60, 40), np.arange(60))
        assert np.array_equal(alone.score, together.score[i])
        assert cusum.leading(bank, alone) == tuple(v[i] for v in cusum.leading(levels.stacked(banks), together))


def test_a_rise_alarms_and_is_dated_and_a_steady_rate_is_not() -> None:
    rng = np.random.default_rng(5)
    yes = np.concatenate([rng.binomial(50, 0.02, 40), rng.binomial(50, 0.08, 20)])
    quiet = cusum.fold(BANK, yes[:40], np.full(40, 50), np.arange(40))
    loud = cusum.fold(BANK, yes, np.full(60, 50), np.arange(60))
    assert not cusum.alarmed(BANK, quiet)
    assert cusum.alarmed(BANK, loud)
    score, level, start = cusum.leading(BANK, loud)
    assert score >= level
    assert 36 <= start <= 44


def test_restart_touches_only_the_chosen_and_nothing_in_place() -> None:
    state = cusum.update(BANK, cusum.fresh(BANK, (2,)), [3, 4], [50, 50], 0)
    kept = state.score.copy()
    after = cusum.restart(state, [True, False])
    assert np.array_equal(state.score, kept)
    assert after.score.tolist() == [[0, 0, 0], kept[1].tolist()]
    assert after.units.tolist() == [0, 50]


@pytest.mark.parametrize(("yes", "units"), [(3, 2), (-1, 5)])
def test_more_yes_than_units_cannot_be(yes: int, units: int) -> None:
    with pytest.raises(IntegrityError, match="more yes than units"):
        cusum.update(BANK, cusum.fresh(BANK), yes, units, 0)
    with pytest.raises(IntegrityError, match="more yes than units"):
        cusum.fold(BANK, np.array([yes]), np.array([units]), np.array([0]))


def test_blocks_out_of_time_order_cannot_be() -> None:
    with pytest.raises(IntegrityError, match="time order"):
        cusum.fold(BANK, np.array([1, 1]), np.array([9, 9]), np.array([5, 4]))


@pytest.mark.parametrize(("rate", "units", "alpha"), [(0.0, 10, 0.1), (1.0, 10, 0.1), (0.1, 0, 0.1), (0.1, 10, 1.0)])
def test_a_promise_needs_a_rate_an_alpha_and_a_horizon(rate: float, units: int, alpha: float) -> None:
    with pytest.raises(ValueError, match="needs a rate"):
        levels.known_rate(rate, units, alpha)


@pytest.mark.parametrize("rate", [1e-7, 1e-5, 0.2, 0.9, 0.918])
@pytest.mark.parametrize(("units", "alpha"), [(1_000, 1e-2), (10**9, 1e-2), (10**9, 1e-6)])
def test_there_is_a_level_for_every_rate_and_horizon_that_production_may_ask_for(
    rate: float, units: int, alpha: float
) -> None:
    bank = levels.known_rate(rate, units, alpha, step=0.2)
    assert false_alarm(parts(bank), int(bank.every), rate, units) <= SPENT * alpha
    assert (bank.up * bank.every * rate < bank.down).all(), "a score must fall at the base rate"


def test_where_no_level_is_high_enough_it_is_said_and_not_searched_forever() -> None:
    with pytest.raises(ValueError, match="no level keeps this promise"):
        levels.known_rate(0.9999, 10**9, 1e-6)


def test_the_law_of_one_level_is_computed_once_however_often_the_search_asks() -> None:
    asked: list[tuple[object, int]] = []

    def law(parts: Sequence[Part], every: int) -> float:
        asked.append((tuple(parts), every))
        return false_alarm(parts, every, 0.02, 5_000)

    levels.bank(0.02, 0.01, law, lambda parts, every: false_alarm(parts, every, 0.02, 5_000))
    assert len(asked) == len(set(asked))
