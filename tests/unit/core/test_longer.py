"""Latencies against the period before the deploy: a longer tail is a ticket, a higher load is not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from monitor.assess import Past, assess
from monitor.evidence.baseline import CONTAMINATED
from monitor.live import live_checks
from monitor.longer import beyond, edges_before, null_before
from monitor.model import Finding
from monitor.series import Series, VariantFacts
from monitor.watch import Watch
from tests.support.events import plan

BEFORE, AFTER = 40 * 6, 12 * 6
"""Blocks of ten minutes before and after the deploy."""


def watch(**given: Any) -> Watch:
    return Watch("shop", plan(bot=False, bucket="10m", slices=[], **given))


def waits(middles: Sequence[float], busy: Sequence[float], first: int, seed: int) -> Series:
    """Eighty requests a block in bins around `middles`; a share of them in the busy stratum, ten bins later."""
    rng, counts = np.random.default_rng(seed), np.zeros((len(middles), 9 * 48 + 1), np.int64)
    for t, (middle, share) in enumerate(zip(middles, busy, strict=True)):
        for stratum, n in ((0, round(80 * (1 - share))), (6, round(80 * share))):
            values = np.clip(rng.normal(middle + (10 if stratum else 0), 2, n).round().astype(int), 0, 47)
            np.add.at(counts[t], stratum * 48 + values, 1)
    return Series(first + np.arange(len(middles)), np.zeros(len(middles), np.int64), counts)


def judged(shop: Watch, middles: Sequence[float], busy: Sequence[float], before: int = BEFORE) -> tuple[Finding, ...]:
    past = waits([20.0] * before, [0.2] * before, BEFORE - before, 1)
    old = VariantFacts("shop-int8", BEFORE - before, BEFORE - 1, {}, {("all", "total"): past})
    live = waits(middles, busy, BEFORE, 2)
    new = VariantFacts("shop-int4", BEFORE, BEFORE + AFTER - 1, {}, {("all", "total"): live})
    verdict = assess(shop, new, [old], Past({}, []), 1.0)
    assert before == BEFORE or any(line.startswith("baseline too short") for line in verdict.unwatched)
    return verdict.findings


def test_a_tail_that_is_twice_as_long_is_a_ticket_with_its_beginning() -> None:
    (finding,) = judged(watch(), [20.0] * 36 + [25.0] * 36, [0.2] * AFTER)
    assert (finding.kind, finding.signal, finding.direction, finding.against) == ("ticket", "total", "longer", "past")
    assert finding.since is not None
    assert abs(finding.since / 600 - (BEFORE + 36)) <= 2
    assert "lie beyond what was its slow tail" in finding.sentence


def test_load_that_doubles_with_a_constant_service_is_none() -> None:
    assert judged(watch(), [20.0] * AFTER, [0.2] * 36 + [0.7] * 36) == ()


def test_a_bin_longer_is_within_the_tolerance() -> None:
    assert judged(watch(), [21.0] * AFTER, [0.2] * AFTER) == ()


def test_it_pages_only_where_the_plan_declares_a_swing_and_says_so() -> None:
    loud = watch(budget={"swing": 0.5, "past": "page"})
    assert [finding.kind for finding in judged(loud, [25.0] * AFTER, [0.2] * AFTER)] == ["change"]


def test_a_period_too_short_is_no_ticket_and_said() -> None:
    assert judged(watch(), [25.0] * AFTER, [0.2] * AFTER, before=12) == ()


def test_what_is_odd_about_a_baseline_is_said_once_a_signal() -> None:
    shop = watch()
    definition = next(one for one in shop.live if one.signal == "refusal")
    counts = np.zeros((BEFORE + AFTER, len(definition.cells)), np.int64)
    counts[:, :3] = (180, 10, 10)
    counts[30:36, :3] = (20, 10, 170)
    past, live = (
        Series(np.arange(a, b), np.zeros(b - a, np.int64), counts[a:b]) for a, b in ((0, BEFORE), (BEFORE, len(counts)))
    )
    old = VariantFacts("shop-int8", 0, BEFORE - 1, {}, {("all", "refusal"): past})
    new = VariantFacts("shop-int4", BEFORE, len(counts) - 1, {}, {("all", "refusal"): live})
    verdict = assess(shop, new, [old], Past({}, []), 1.0)
    assert verdict.unwatched == (f"{CONTAMINATED}: all/refusal",)
    assert verdict.findings == ()
    alone = assess(shop, new, [], Past({}, []), 1.0)
    assert alone.unwatched == ("no period before the deploy: all/refusal",)


def test_the_bound_is_that_of_the_stratum_with_the_heaviest_tail() -> None:
    """Units may move to any stratum: what is allowed must hold in each."""
    shop = watch()
    check = next(one for one in live_checks(shop) if one.signal == "total")
    counts = np.zeros((BEFORE, 9 * 48 + 1), np.int64)
    counts[:, 20], counts[:, 25] = 9_995, 5
    counts[:, 6 * 48 + 20], counts[:, 6 * 48 + 25] = 96, 4
    past = [Series(np.arange(BEFORE), np.zeros(BEFORE, np.int64), counts)]
    edges = edges_before(past)
    assert edges[[0, 6]].tolist() == [20, 20]
    against = null_before(check, past, edges, shop.width, shop.rule.budget, 0.02)
    assert against.bound.bound is not None
    assert against.bound.bound > 1.5 * 0.04
    assert beyond(check, past[0], edges, 0.02)[:, [0, 6]].sum(axis=0).tolist() == [
        [5 * BEFORE, 10_000 * BEFORE],
        [4 * BEFORE, 100 * BEFORE],
    ]
