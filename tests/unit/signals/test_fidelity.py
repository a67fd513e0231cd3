"""Fidelity: what one pair's token comparison is counted as."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import xxhash
from hypothesis import given
from hypothesis import strategies as st

from monitor.signals.fidelity import KL_EDGES, Fidelity, TokenFidelity

FIDELITY = Fidelity()
SEEN = TokenFidelity(
    tokens=100,
    mean_kl=1e-3,
    mean_logprob_gap=0.01,
    same_top=0.97,
    first_divergence=12,
    flipped=False,
    by_position=((25, 0), (25, 1), (25, 1), (25, 1)),
    by_rarity=((25, 0), (25, 0), (25, 1), (25, 2)),
    by_structure=(30, 0),
)


def names(fidelity: TokenFidelity | None, event_hash: int = 0) -> dict[str, str]:
    row = FIDELITY.cells(fidelity, event_hash)
    return {d.signal: d.cells[cell] for d, cell in zip(FIDELITY.definitions, row, strict=True)}


def test_what_was_not_observed_is_counted_as_such() -> None:
    assert set(names(None).values()) == {"not_observed"}
    blind = TokenFidelity(0, None, None, None, None, None)
    assert set(names(blind).values()) == {"not_observed"}
    assert names(replace(SEEN, mean_kl=None))["kl"] == "not_observed"
    assert names(replace(SEEN, same_top=None))["same_top"] == "not_observed"


@pytest.mark.parametrize(
    ("nats", "below"),
    [(-1e-9, 0), (0.0, 0), (9.9e-8, 0), (1e-7, 1), (1e-3, 17), (1.0, 29), (9.99, 32), (10.0, 33), (math.inf, 33)],
)
def test_kl_has_four_bins_a_decade(nats: float, below: int) -> None:
    assert names(replace(SEEN, mean_kl=nats))["kl"] == str(below)
    assert below == sum(edge <= nats for edge in KL_EDGES)


def test_formats_that_differ_in_practice_fall_into_different_bins() -> None:
    measured = (2e-5, 1.4e-4, 4.2e-3, 1.8e-2, 0.126)
    assert len({names(replace(SEEN, mean_kl=nats))["kl"] for nats in measured}) == len(measured)


@pytest.mark.parametrize(
    ("index", "cell"),
    [(0, "0"), (1, "1"), (2, "2"), (3, "2"), (4, "4"), (12, "8"), (40_000, "32768"), (10**9, "32768"), (None, "never")],
)
def test_the_first_divergence_is_binned_by_powers_of_two(index: int | None, cell: str) -> None:
    assert names(replace(SEEN, first_divergence=index))["first_divergence"] == cell


def test_a_flip_is_a_yes() -> None:
    flip = FIDELITY.definitions[-1]
    assert names(replace(SEEN, flipped=True))["flip"] in flip.yes
    assert names(SEEN)["flip"] in flip.no


def test_the_mean_share_of_same_top_tokens_is_kept() -> None:
    """The bound is exceeded once in 10^9 (Hoeffding, points at most 1/16 apart)."""
    n = 20_000
    bound = math.sqrt(math.log(2e9) / (2 * n)) / 16
    grid = FIDELITY.definitions[1].grid
    rows = [FIDELITY.cells(SEEN, xxhash.xxh3_64_intdigest(b"%d" % k))[1] for k in range(n)]
    assert abs(np.mean([grid[row] for row in rows]) - 0.97) < bound + 1 / 65_535


@given(
    st.builds(
        TokenFidelity,
        st.integers(0, 10**6),
        st.none() | st.floats(),
        st.none() | st.floats(),
        st.none() | st.floats(),
        st.none() | st.integers(0, 10**6),
        st.none() | st.booleans(),
    ),
    st.integers(0, 2**64 - 1),
)
def test_every_comparison_falls_into_one_cell_of_each_definition(fidelity: TokenFidelity, event_hash: int) -> None:
    row = FIDELITY.cells(fidelity, event_hash)
    assert row == FIDELITY.cells(fidelity, event_hash)
    for definition, cell in zip(FIDELITY.definitions, row, strict=True):
        assert 0 <= cell < len(definition.cells)
