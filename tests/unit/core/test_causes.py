"""Whose fault a failing check or a live change is, from sealed facts of both periods."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from monitor.blame import MORE_PAIRS, NO_BASELINE, NO_DEPLOYED, NO_LOAD
from monitor.causes import Case
from monitor.checks import check_table, declared_levels
from monitor.model import Blame
from monitor.pairs import JOINT, REASONS
from monitor.series import Series, VariantFacts
from monitor.watch import Watch
from tests.support.events import plan

T, DEPLOY, PAIRS = 40, 400, 400
SLICES = np.array([0.02, 0.06, 0.20])
"""The reference's own rate in three kinds of requests that no slice of the plan tells apart."""
USUAL, SHIFTED = (0.6, 0.3, 0.1), (0.1, 0.2, 0.7)
QUIET, BUSY = 0, 2
Level = Callable[[int], int]


def watch(**given: Any) -> Watch:
    return Watch("shop", plan(bot=False, bucket="10m", slices=[], signals={"schema": {"tolerance": 0.02}}, **given))


def facts(
    variant: str,
    first: int,
    seed: int,
    *,
    mix: tuple[float, ...] = USUAL,
    quantization: float = 0.0,
    serving: float = 0.0,
    busy: float = 0.0,
    strain: float = 0.1,
    deployed: bool = True,
    level: Level = lambda _: 300_000,
) -> VariantFacts:
    """Pairs of a build, forty blocks of them; in a `busy` share of the blocks its engine adds the strain."""
    rng = np.random.default_rng(seed)
    rows, levels, buckets = [], [], []
    loads = np.where(np.arange(T) % 10 < 10 * busy, BUSY, QUIET)
    for t in range(T):
        rate = SLICES[rng.choice(3, PAIRS, p=mix)]
        reference = rng.random(PAIRS) < rate
        build = reference | (rng.random(PAIRS) < quantization / (1 - rate))
        logged = build | (rng.random(PAIRS) < (serving + strain * (loads[t] == BUSY)) / (1 - rate))
        middle = build.astype(int) if deployed else np.full(PAIRS, 2)
        cells = 27 * logged + 9 * middle + 3 * reference + 2
        counts = np.bincount(cells, minlength=JOINT + len(REASONS))
        rows.append(counts)
        levels.append(level(t))
        buckets.append(first + t)
    pairs = Series(np.array(buckets), np.array(levels), np.stack(rows))
    timed = np.zeros((T, 9 * 48 + 1), np.int64)
    timed[np.arange(T), 3 * loads * 48 + 20] = 1_000
    total = Series(np.array(buckets), np.zeros(T, np.int64), timed)
    return VariantFacts(variant, first, first + T - 1, {("all", "schema"): pairs}, {("all", "total"): total})


def change(now: VariantFacts, *others: VariantFacts) -> Blame:
    return Case(watch(), now, others).of_change("all", "schema", "more")


def check(now: VariantFacts, *others: VariantFacts) -> Blame:
    return Case(watch(), now, others).of_check(now.pairs["all", "schema"], "all", "schema", "more")


def old(**given: Any) -> VariantFacts:
    return facts("shop-int8", 0, 1, **({"busy": 0.2} | given))


def new(**given: Any) -> VariantFacts:
    return facts("shop-int4", DEPLOY, 2, **({"busy": 0.2} | given))


@pytest.mark.parametrize(
    ("cause", "given"),
    [
        ("traffic", {"mix": SHIFTED}),
        ("quantization", {"quantization": 0.06}),
        ("serving", {"serving": 0.06}),
        ("load", {"busy": 0.9}),
    ],
)
def test_a_change_of_what_users_get_is_called_by_its_name(cause: str, given: dict[str, Any]) -> None:
    """A shift of the mix with constant rates in each kind of request is Simpson's trap: it moves the reference too."""
    found = change(new(**given), old())
    assert found.cause == cause
    shares = {one.cause: one.share for one in found.contributions}
    assert shares[cause] == pytest.approx(1.0, abs=0.25)
    assert found.total is not None
    assert sum(one.interval.estimate or 0.0 for one in found.contributions) == pytest.approx(found.total.estimate)
    assert found.missing == ()


def test_without_a_change_there_is_no_cause_and_no_share() -> None:
    found = change(new(), old())
    assert (found.cause, found.missing) == ("undetermined", (MORE_PAIRS,))
    assert [one.share for one in found.contributions] == [None] * 4


def test_two_builds_with_the_same_harm_are_no_change_and_yet_the_check_blames_the_build() -> None:
    now, before = new(quantization=0.06), old(quantization=0.06)
    assert change(now, before).cause == "undetermined"
    assert check(now, before).cause == "quantization"


def test_traffic_is_never_the_cause_of_a_failing_check_however_far_it_moved() -> None:
    found = check(new(quantization=0.05, mix=SHIFTED), old())
    contributions = {one.cause: one for one in found.contributions}
    assert found.cause == "quantization"
    assert contributions["traffic"].interval.estimate > contributions["quantization"].interval.estimate  # type: ignore[operator]


def test_load_that_strains_the_engine_is_told_from_the_engine_for_a_failing_check() -> None:
    assert check(new(busy=0.9), old()).cause == "load"
    assert check(new(busy=0.2, serving=0.05), old()).cause == "serving"


def test_what_is_missing_is_said() -> None:
    assert change(new(mix=SHIFTED)).missing == (NO_BASELINE,)
    assert change(new(mix=SHIFTED, deployed=False)).missing == (NO_DEPLOYED, NO_BASELINE)
    assert Case(watch(), new(), []).of_change("all", "empty", "more").missing == ("no replays of this",)
    calm = change(new(busy=0.0, quantization=0.06), old(busy=0.0))
    assert (calm.cause, calm.missing) == ("quantization", (NO_LOAD,))
    assert "load" not in {one.cause for one in calm.contributions}
    gone = change(new(busy=0.0, quantization=0.06), old(busy=0.5))
    assert NO_LOAD in gone.missing, "busy blocks before, and none now to see the engine in"


def test_where_the_reference_served_before_its_own_units_are_the_baseline() -> None:
    shop = watch()
    definition = next(one for one in shop.live if one.signal == "schema")
    counts = np.zeros((T, len(definition.cells)), np.int64)
    counts[:, definition.cells.index(definition.yes[0])] = 50
    counts[:, definition.cells.index(definition.no[0])] = 950
    units = {("all", "schema"): Series(np.arange(T), np.zeros(T, np.int64), counts)}
    before = VariantFacts("shop-fp16", 0, T - 1, {}, units)
    now = new(busy=0.0, quantization=0.06)
    found = change(now, before)
    assert (found.cause, found.missing) == ("quantization", (NO_LOAD,))
    assert abs(next(one.interval.estimate for one in found.contributions if one.cause == "traffic") or 0.0) < 0.01


def test_pairs_included_unequally_count_by_their_weights() -> None:
    """A stratum replayed four times as often is four times as many pairs, and no more of the traffic."""
    harmful, fine = new(quantization=0.2, busy=0.0), new(busy=0.0)
    pairs = [harmful.pairs["all", "schema"], fine.pairs["all", "schema"]]
    buckets = np.concatenate([one.buckets for one in pairs])
    order = np.argsort(buckets, kind="stable")
    levels = np.repeat([1_000_000, 250_000], T)
    both = Series(buckets[order], levels[order], np.concatenate([one.counts for one in pairs])[order])
    shop = watch(shadow={"share": 0.25, "strata": {"all": 1.0}})
    found = Case(shop, harmful, []).of_check(both, "all", "schema", "more")
    harm = check_table(both, "schema", "more", declared_levels(shop.rule.shadow)).pairs
    weighted = np.array(harm.counts) * np.array(harm.weights)
    mean = float(weighted @ np.array(harm.support) / weighted.sum())
    assert sum(one.interval.estimate or 0.0 for one in found.contributions) == pytest.approx(mean)
    assert mean == pytest.approx(0.2 * 0.2, abs=0.01)
    before = old(busy=0.0)
    split = Case(shop, harmful, [before]).of_check(both, "all", "schema", "more")
    terms = {one.cause: one.interval.estimate or 0.0 for one in split.contributions}
    assert terms["quantization"] + terms["serving"] == pytest.approx(mean)
