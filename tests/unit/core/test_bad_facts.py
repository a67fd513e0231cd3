"""Facts that cannot be, or that come and go: a named error or a hold with its reason, never a wrong number."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from monitor.assess import AMENDED, Past, assess, sealing_of
from monitor.errors import IntegrityError
from monitor.gate import Memory
from monitor.model import Decision, Verdict
from monitor.series import Series, VariantFacts, holds, seal
from tests.unit.core.test_assess import OK, QUANTIZED, facts, judged, watch

SEALING = sealing_of(watch())


def amended(found: VariantFacts, change: int) -> VariantFacts:
    """The same facts with one count of one sealed pair cell changed."""
    series = found.pairs["all", "schema"]
    counts = series.counts.copy()
    counts[3, int(np.argmax(counts[3]))] += change
    return replace(found, pairs=found.pairs | {("all", "schema"): Series(series.buckets, series.levels, counts)})


def after(found: VariantFacts, name: str, latched: bool = False) -> Verdict:
    past = Past({("all", "schema", "more"): 1.0} if latched else {}, [], name)
    return assess(watch(), found, [], past, 1000.0)


@pytest.mark.parametrize("change", [-1, 1])
def test_a_sum_that_shrank_or_grew_within_what_is_sealed_is_a_hold_that_stays(change: int) -> None:
    found = facts(watch(), [{OK: 50}] * 20)
    name = seal(found, SEALING, 20)
    assert after(found, name).decision is Decision.PASS
    wrong = after(amended(found, change), name)
    assert (wrong.decision, wrong.recommendation.action, wrong.seal) == (Decision.HOLD, "hold", name)
    assert "sealed facts have changed" in wrong.reason
    assert after(amended(found, change), name, latched=True).decision is Decision.FAIL, "a fail is never taken back"


def test_later_buckets_and_later_series_do_not_change_the_name_of_earlier_ones() -> None:
    early, late = facts(watch(), [{OK: 50}] * 20), facts(watch(), [{OK: 50}] * 30, orders=[{OK: 5}] * 30)
    name = seal(early, SEALING, 20)
    assert holds(name, late, SEALING) is False, "a slice whose pairs are older than the look was not there"
    grown = facts(watch(), [{OK: 50}] * 30)
    assert holds(name, grown, SEALING)


def test_facts_of_other_definitions_are_other_facts_and_no_amended_ones() -> None:
    found = facts(watch(), [{OK: 50}] * 20)
    assert holds(seal(found, replace(SEALING, layout="another"), 20), amended(found, 1), SEALING)


def test_live_units_that_were_changed_after_a_look_are_a_hold_too() -> None:
    found = facts(watch(), [{OK: 50}] * 20)
    name = seal(found, SEALING, 20)
    traffic = found.units["all", "traffic"]
    counts = traffic.counts.copy()
    counts[7] += 1
    changed = replace(found, units=found.units | {("all", "traffic"): replace(traffic, counts=counts)})
    assert after(found, name).decision is Decision.PASS
    assert after(changed, name).reason == AMENDED


def test_a_negative_count_is_a_named_error() -> None:
    with pytest.raises(IntegrityError, match="negative"):
        judged(watch(), amended(facts(watch(), [{OK: 50}] * 20), -51))


def test_more_harm_than_units_is_a_named_error() -> None:
    shop = watch()
    definition = next(one for one in shop.live if one.signal == "empty")
    counts = np.zeros((40, len(definition.cells)), np.int64)
    counts[:, definition.cells.index("no")] = -1
    counts[:, definition.cells.index("yes")] = 5
    live = Series(np.arange(40), np.zeros(40, np.int64), counts)
    known = watch(signals={"empty": {"rate": 0.01}})
    with pytest.raises(IntegrityError, match="more yes than units"):
        judged(known, VariantFacts("shop-int4", 0, 39, {}, {("all", "empty"): live}))


def test_a_slice_that_appears_earns_evidence_from_its_own_data_only() -> None:
    shop, memory = watch(), Memory()
    blocks = [{OK: 50}] * 20
    for end in (5, 10, 20):
        found = facts(shop, blocks[:end], orders=None if end < 10 else [{QUANTIZED: 30}] * end)
        verdict = judged(shop, found, memory=memory)
        orders = [check for check in verdict.checks if check.slice == "orders"]
        assert len(orders) == (0 if end < 10 else 1)
        assert verdict == judged(shop, found)
    assert orders[0].pairs == 600


def test_a_slice_that_vanishes_keeps_what_was_shown_and_is_never_passed_for_it() -> None:
    shop = watch()
    whole = facts(shop, [{OK: 50}] * 20, orders=[{OK: 20, QUANTIZED: 2}] * 20)
    ended = {key: first_rows(series, 2) for key, series in whole.pairs.items() if key[0] == "orders"}
    verdict = judged(shop, replace(whole, pairs=whole.pairs | ended))
    (orders,) = [check for check in verdict.checks if check.slice == "orders"]
    assert (orders.pairs, orders.decision, verdict.decision) == (44, Decision.HOLD, Decision.HOLD)
    assert "more pairs" in orders.reason


def first_rows(series: Series, rows: int) -> Series:
    return Series(series.buckets[:rows], series.levels[:rows], series.counts[:rows])
