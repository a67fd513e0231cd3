"""The chance that evidence ever reaches its bar, without simulation: every outcome of a small case."""

from __future__ import annotations

import itertools
import math
from collections import defaultdict

import numpy as np
import pytest
from scipy.stats import binom

from monitor.evidence import concurrent, tail
from monitor.evidence.bets import YES_NO, log_all_clear, log_evidence
from monitor.evidence.category import averaged, one_against_rest
from monitor.evidence.quantiles import quantile_band

Chances = dict[tuple[int, ...], float]


def crossing(shares: tuple[float, ...], units: int, reached: object) -> float:
    """The chance that counts of independent units stand at the bar after any of them; counts that did stop there."""
    alive: Chances = {(0,) * len(shares): 1.0}
    crossed = 0.0
    for _ in range(units):
        after: Chances = defaultdict(float)
        for counts, chance in alive.items():
            for j, share in enumerate(shares):
                after[(*counts[:j], counts[j] + 1, *counts[j + 1 :])] += chance * share
        tables = np.array(list(after))
        stands = reached(tables)  # type: ignore[operator]
        crossed += sum(chance for chance, stop in zip(after.values(), stands, strict=True) if stop)
        alive = {counts: chance for (counts, chance), stop in zip(after.items(), stands, strict=True) if not stop}
    return crossed


@pytest.mark.parametrize(("tolerance", "discordance"), [(0.0, 0.4), (0.1, 0.2), (0.3, 1.0)])
@pytest.mark.parametrize("alpha", [0.1, 0.3])
def test_pairs_at_the_tolerance_reach_the_bar_with_at_most_alpha(
    tolerance: float, discordance: float, alpha: float
) -> None:
    up, down = (discordance + tolerance) / 2, (discordance - tolerance) / 2
    at = crossing((down, 1 - discordance, up), 60, lambda c: log_evidence(YES_NO, c, tolerance) >= -math.log(alpha))
    assert 0.0 < at <= alpha
    harm = (down / 2, 1 - discordance + down / 2, up)
    beyond = crossing(harm, 60, lambda c: log_evidence(YES_NO, c, tolerance) >= -math.log(alpha))
    assert beyond > at or beyond == pytest.approx(at), "more harm reaches it more often"
    clear = crossing((down, 1 - discordance, up), 60, lambda c: log_all_clear(YES_NO, c, tolerance) >= -math.log(alpha))
    assert clear <= alpha


@pytest.mark.parametrize("p", [0.5, 0.9])
def test_a_band_of_three_bins_misses_its_quantile_with_at_most_alpha(p: float) -> None:
    shares = (0.3, 0.35, 0.35)
    true = int(np.argmax(np.cumsum(shares) >= p))

    def missed(tables: np.ndarray) -> list[bool]:
        bands = (quantile_band(counts, p, 0.2) for counts in tables)
        return [not band.lower <= true <= band.upper for band in bands]

    assert crossing(shares, 25, missed) <= 0.2


@pytest.mark.parametrize("odds", [1.0, 1.6])
def test_three_blocks_of_two_arms_reach_the_bar_with_at_most_alpha(odds: float) -> None:
    """Every outcome of three blocks of six units here and four beside, at odds that are used up and rates that move."""
    alpha, outcomes = 0.3, list(itertools.product(range(7), range(5)))
    tables, chances = np.array(outcomes), []
    gains = concurrent.gains(tables[:, 0], 6, tables[:, 1], 4, odds)
    for rate in (0.1, 0.5, 0.3):
        here = odds * rate / (1 - rate + odds * rate)
        chances.append(binom.pmf(tables[:, 0], 6, here) * binom.pmf(tables[:, 1], 4, rate))
    crossed = 0.0
    for path in itertools.product(range(len(outcomes)), repeat=3):
        running = concurrent.mixed(np.add.accumulate(gains[:, path], axis=1))
        if (running >= -math.log(alpha)).any():
            crossed += math.prod(chances[block][at] for block, at in enumerate(path))
    assert 0.0 < crossed <= alpha


def test_the_mean_over_the_questions_of_categories_is_fair_in_every_block() -> None:
    """Three categories, five units an arm: the expected factor over all outcomes is one at equal shares."""
    shares, units = (0.6, 0.3, 0.1), 5
    splits = [c for c in itertools.product(range(units + 1), repeat=3) if sum(c) == units]
    ways = [math.factorial(units) / math.prod(map(math.factorial, c)) for c in splits]
    chance = [w * math.prod(s**n for s, n in zip(shares, c, strict=True)) for w, c in zip(ways, splits, strict=True)]
    expected = 0.0
    for (here, p), (beside, q) in itertools.product(zip(splits, chance, strict=True), repeat=2):
        one, other = (one_against_rest([counts], [units])[:, 0] for counts in (here, beside))
        logs = concurrent.mixed(concurrent.gains(one[:, 0], units, other[:, 0], units))
        expected += p * q * math.exp(averaged(logs))
    assert expected == pytest.approx(1.0)


def test_the_odds_of_a_part_of_a_bin_lie_on_the_straight_line() -> None:
    """Past values 90, 6, 3, 1 by bin: the edge of 95 % is bin 1, beyond it lie 4 %, from it on 10 %."""
    control = np.array([[[90, 6, 3, 1]], [[0, 0, 0, 0]]])
    edge = tail.edges(control, 0.95)
    assert edge.tolist() == [[-1], [1]]
    found = tail.tolerated_odds(control, edge, 0.5)[:, 0]
    assert found[0] == math.inf
    share = [(n + 0.5) / 101 for n in (4, 7)]
    assert found[1] == pytest.approx(share[1] / (1 - share[1]) * (1 - share[0]) / share[0])
    assert tail.tolerated_odds(control, edge, 0.0)[1, 0] == pytest.approx(1.0)
