"""Verdicts on small scenarios: what is shown fails or passes; everything else holds and says why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import numpy as np
import pytest

from monitor.assess import Past, assess
from monitor.gate import Memory
from monitor.model import Arm, Decision, Missing, Verdict
from monitor.outcomes import code
from monitor.pairs import Pair, pair_counts
from monitor.plan import InputRule, Plan
from monitor.series import Series, VariantFacts
from monitor.watch import TRAFFIC, VALUES, Group, Watch
from tests.support.events import plan

SIGNALS = {
    "schema": {"tolerance": 0.1},
    "tool_call": {"gates": False},
    "refusal": {"gates": False},
    "score": {"gates": False},
}
ORDERS = [{"name": "orders", "where": {"tags": {"route": "order"}}}]
Outcomes = tuple[int | None, int | None, int | None]
"""Logged, deployed, reference: 1 broke the schema, 0 kept it, None is missing."""
OK: Outcomes = (0, 0, 0)
QUANTIZED: Outcomes = (1, 1, 0)
SERVED: Outcomes = (1, 0, 0)
NO_DEPLOYED: Outcomes = (1, None, 0)


def watch(**given: Any) -> Watch:
    shop = {"signals": SIGNALS, "slices": ORDERS, "shadow": {"share": 0.5, "excluded_limit": 0.2}} | given
    watched: Plan = plan(bot=False, **shop)
    return Watch("shop", watched)


def facts(
    watch: Watch,
    buckets: Sequence[Mapping[Outcomes, int]],
    *,
    orders: Sequence[Mapping[Outcomes, int]] | None = None,
    level: int = 500_000,
    variant: str = "shop-int4",
) -> VariantFacts:
    """What is sealed of a variant whose pairs, bucket by bucket, came out like this."""
    layout = watch.layouts[Group.PAIR]
    pairs = {}
    for name, blocks in (("all", buckets), ("orders", orders)):
        if blocks is not None:
            for definition in layout.definitions:
                pairs[name, definition.signal] = series(definition.signal, blocks, level)
    n = len(buckets)
    traffic = Series(np.arange(n), np.zeros(n, np.int64), np.full((n, 1), 100, np.int64))
    names = ("all",) if orders is None else ("all", "orders")
    return VariantFacts(variant, 0, n - 1, pairs, {(name, TRAFFIC.signal): traffic for name in names})


def series(signal: str, blocks: Sequence[Mapping[Outcomes, int]], level: int) -> Series:
    rows = [sum(n * counts(signal, outcomes) for outcomes, n in block.items()) for block in blocks]
    return Series(np.arange(len(blocks)), np.full(len(blocks), level), np.stack(rows))


def counts(signal: str, outcomes: Outcomes) -> Any:
    arms: dict[Arm, dict[str, int]] = {}
    for arm, outcome in zip((Arm.LOGGED, Arm.DEPLOYED, Arm.REFERENCE), outcomes, strict=True):
        missing = {signal: code(Missing.NOT_OBSERVED)}
        arms[arm] = missing if outcome is None else {signal: outcome if signal == "schema" else code(Missing.NO_SCHEMA)}
    pair = Pair("p", "shop", "shop-int4", 0, b"\x80", 1, 7, 7, arms)
    return pair_counts(pair, signal, value=signal in VALUES)


def judged(watch: Watch, found: VariantFacts, *, latched: Mapping[Any, float] | None = None, memory=None) -> Verdict:  # type: ignore[no-untyped-def]
    return assess(watch, found, [], Past(latched or {}, []), 1000.0, memory)


def test_without_a_reference_nothing_can_be_said() -> None:
    shop = watch(reference=None)
    empty = VariantFacts("shop-int4", 0, 3, {}, facts(shop, [{OK: 1}]).units)
    verdict = judged(shop, empty)
    assert (verdict.decision, verdict.reason) == (Decision.HOLD, "no reference")


def test_the_reference_itself_holds() -> None:
    shop = watch()
    verdict = judged(shop, facts(shop, [{OK: 50}] * 10, variant="shop-fp16"))
    assert verdict.decision is Decision.HOLD
    assert "this is the reference" in verdict.reason


def test_a_clean_build_with_pairs_enough_passes_and_with_few_holds() -> None:
    shop = watch()
    many = judged(shop, facts(shop, [{OK: 50}] * 20, orders=[{OK: 50}] * 20))
    few = judged(shop, facts(shop, [{OK: 5}] * 8))
    assert many.decision is Decision.PASS
    assert many.uncovered == ()
    assert few.decision is Decision.HOLD
    assert "more pairs" in few.reason
    assert few.checks[0].needs_pairs is not None


@pytest.mark.parametrize(
    ("harmful", "cause", "missing"),
    [
        (NO_DEPLOYED, "undetermined", "no deployed replay"),
        (QUANTIZED, "quantization", None),
        (SERVED, "serving", None),
    ],
)
def test_a_build_that_breaks_a_slice_fails_and_the_arms_say_whose_fault_it_is(
    harmful: Outcomes, cause: str, missing: str | None
) -> None:
    shop = watch()
    bad = {OK if harmful is not NO_DEPLOYED else (0, None, 0): 25, harmful: 25}
    fine = {OK: 50} if harmful is not NO_DEPLOYED else {(0, None, 0): 50}
    verdict = judged(shop, facts(shop, [fine] * 20, orders=[bad] * 20))
    assert verdict.decision is Decision.FAIL
    assert verdict.worst == ("orders",)
    (finding,) = [one for one in verdict.findings if one.kind == "fail"]
    assert finding.slice == "orders"
    assert finding.blame is not None
    assert finding.blame.cause == cause
    assert missing is None or missing in finding.blame.missing
    assert finding.harm.lower is not None
    assert finding.harm.lower > 0.1


def test_a_slice_too_thin_to_gate_is_said_to_be_uncovered() -> None:
    shop = watch()
    thin = judged(shop, facts(shop, [{OK: 50}] * 20, orders=[{OK: 1}] * 20))
    none = facts(shop, [{OK: 50}] * 20, orders=[{OK: 1}] * 20)
    without = VariantFacts(none.variant, 0, 19, {k: s for k, s in none.pairs.items() if k[0] == "all"}, none.units)
    assert thin.uncovered == ("orders/schema",)
    assert judged(shop, without).uncovered == ("orders/no pairs",)


def test_pairs_that_lack_an_arm_beyond_the_limit_make_it_hold() -> None:
    shop = watch()
    lacking: Outcomes = (0, 0, None)
    for share, decision in ((5, Decision.PASS), (15, Decision.HOLD)):
        verdict = judged(shop, facts(shop, [{OK: 50 - share, lacking: share}] * 20))
        assert verdict.decision is decision
        assert verdict.checks[0].excluded == 20 * share
    assert "lack an arm" in verdict.reason
    assert verdict.coverage["excluded_share"] == 0.3


def test_a_check_that_once_failed_stays_failed_when_its_evidence_falls() -> None:
    shop = watch()
    recovered = facts(shop, [{QUANTIZED: 3, OK: 7}] * 2 + [{OK: 50}] * 40)
    assert judged(shop, recovered).decision is not Decision.FAIL
    assert judged(shop, recovered, latched={("all", "schema", "more"): 60.0}).decision is Decision.FAIL


def test_continuing_from_memory_gives_the_numbers_of_computing_anew() -> None:
    shop, memory = watch(), Memory()
    draw = np.random.default_rng(5)
    blocks = [{OK: int(draw.integers(0, 9)), QUANTIZED: int(draw.integers(0, 2)), (0, 0, 1): 1} for _ in range(60)]
    for end in (1, 2, 10, 11, 35, 60, 20):
        found = facts(shop, blocks[:end], orders=blocks[:end])
        assert judged(shop, found, memory=memory) == judged(shop, found)
    assert memory.states


def test_memory_of_other_facts_is_not_believed() -> None:
    shop, memory = watch(), Memory()
    judged(shop, facts(shop, [{QUANTIZED: 50}] * 10), memory=memory)
    other = facts(shop, [{OK: 50}] * 12)
    assert judged(shop, other, memory=memory) == judged(shop, other)


def test_blocks_of_one_level_are_unweighted_and_mixed_ones_weighted() -> None:
    shop = watch(shadow={"share": 0.25, "strata": {"orders": 1.0}})
    harm_at_full = mixed(shop, {OK: 10}, {QUANTIZED: 10})
    weighed = judged(shop, harm_at_full).checks[0]
    assert weighed.harm.estimate == pytest.approx(10 * 0.25 / (10 + 10 * 0.25))
    alone = judged(shop, facts(shop, [{OK: 10, QUANTIZED: 10}] * 10)).checks[0]
    assert alone.harm.estimate == pytest.approx(0.5)


def mixed(watch: Watch, low: Mapping[Outcomes, int], full: Mapping[Outcomes, int]) -> VariantFacts:
    """Ten blocks, each with pairs at a quarter and at the whole."""
    base = facts(watch, [{OK: 1}] * 10)
    pairs = {}
    for name, signal in base.pairs:
        a, b = series(signal, [low] * 10, 250_000), series(signal, [full] * 10, 1_000_000)
        order = np.argsort(np.concatenate([a.buckets, b.buckets]), kind="stable")
        pairs[name, signal] = Series(
            np.concatenate([a.buckets, b.buckets])[order],
            np.concatenate([a.levels, b.levels])[order],
            np.concatenate([a.counts, b.counts])[order],
        )
    return VariantFacts(base.variant, base.first, base.last, pairs, base.units)


def test_the_same_facts_at_any_time_of_day_give_the_same_verdict() -> None:
    shop = watch()
    found = facts(shop, [{OK: 50}] * 20)
    assert judged(shop, found) == judged(shop, found)


@pytest.mark.parametrize(
    ("keyed_by", "names"),
    [
        ("conversation", None),
        ("user", None),
        ("request", "correction, correction_loop"),
        ("none", "correction, correction_loop, feedback, late_score"),
    ],
)
def test_what_a_topic_s_keys_keep_from_being_seen_is_said(keyed_by: str, names: str | None) -> None:
    whole = watch().plan
    watched = Watch("shop", msgspec.structs.replace(whole, input=InputRule(keyed_by=keyed_by)))  # type: ignore[arg-type]
    verdict = assess(watched, facts(watched, [{OK: 50}]), (), Past({}, ()), 60.0)
    said = [line for line in verdict.unwatched if line.startswith("not observed")]
    assert said == ([] if names is None else [f"not observed, since records are keyed by {keyed_by}: {names}"])
