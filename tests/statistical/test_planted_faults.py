"""Each promise turns red when its condition is broken: what the tests beside this one are able to notice."""

from __future__ import annotations

import math

import numpy as np

from monitor.evidence.bets import YES_NO, log_evidence
from tests.statistical.nulls import boundary, ever, most, simulate, triples

RUNS, ALPHA, MARGIN = 2000, 0.05, 0.02


def failed(sums: np.ndarray, margin: float = MARGIN) -> np.ndarray:
    """Runs in which the evidence of cumulative counts ever reached log(1/alpha)."""
    return ever(lambda looks: log_evidence(YES_NO, looks, margin), sums, math.log(1 / ALPHA))


def share_failed(blocks: np.ndarray) -> float:
    """Share of runs in which the evidence of these blocks ever reached log(1/alpha)."""
    return float(failed(blocks.cumsum(axis=0)).mean())


def test_counting_each_pair_twice_breaks_the_promise() -> None:
    blocks = simulate(boundary(MARGIN, 0.2), runs=RUNS, blocks=60, size=25, seed=21)
    limit = most(RUNS, ALPHA) / RUNS
    assert share_failed(blocks) <= limit
    assert share_failed(2 * blocks) > 2 * limit


def test_counting_every_turn_of_a_conversation_breaks_the_promise() -> None:
    """Six turns that fail together: as one unit they keep the promise, counted one by one they do not."""
    conversations = simulate(boundary(MARGIN, 0.2), runs=RUNS, blocks=60, size=10, seed=22)
    assert share_failed(6 * conversations) > 0.3
    assert share_failed(conversations) <= most(RUNS, ALPHA) / RUNS


def test_reading_failures_before_successes_breaks_the_promise() -> None:
    """Failures are known at once, all else four blocks later, as with hindsight signals that are not sealed."""
    blocks = simulate(boundary(MARGIN, 0.3), runs=RUNS, blocks=60, size=25, seed=23)
    sums = blocks.cumsum(axis=0)
    early = np.concatenate([np.zeros_like(sums[:4]), sums[:-4]])
    early[..., 2] = sums[..., 2]
    assert failed(early).mean() > 0.15


def test_a_test_on_discordant_pairs_alone_rejects_under_its_own_null() -> None:
    """Harm of exactly 2 points with 3 % discordant pairs: among those, b outnumbers c five to one."""
    rng = np.random.default_rng(24)
    counts = rng.multinomial(1500, triples(MARGIN, 0.03), size=RUNS)
    only = counts * np.array([1, 0, 1])
    assert (log_evidence(YES_NO, only, MARGIN) >= math.log(1 / ALPHA)).mean() > 0.9
    assert (log_evidence(YES_NO, counts, MARGIN) >= math.log(1 / ALPHA)).mean() <= ALPHA


def test_any_of_four_shards_crossing_is_not_evidence_but_their_sum_is() -> None:
    blocks = simulate(boundary(0.2, 1.0), runs=1000, blocks=80, size=40, seed=25)
    shards = blocks.reshape(80, 250, 4, 3)
    merged = failed(shards.sum(axis=2).cumsum(axis=0), 0.2)
    alone = failed(shards.cumsum(axis=0), 0.2)
    assert merged.sum() <= most(250, ALPHA)
    assert alone.any(axis=1).sum() > 1.5 * max(1, merged.sum())
