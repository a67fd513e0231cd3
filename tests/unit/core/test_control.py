"""Live units against the build that serves beside them: what fails, what pages, what cancels, and what is named."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from monitor.assess import Past, assess
from monitor.control import bins
from monitor.gate import Memory
from monitor.live import LiveCheck, live_checks
from monitor.model import Decision, Finding, Verdict
from monitor.series import Series, VariantFacts
from monitor.signals.latency import EDGES
from monitor.watch import Watch
from monitor.watched import budget
from tests.support.events import SHOP, plan

T = 240
Rates = Sequence[float] | NDArray[np.float64]


def watch(control: str | None = "shop-int8", **given: Any) -> Watch:
    variants = SHOP["variants"] | {"shop-int4": {"control": control}}
    return Watch("shop", plan(bot=False, variants=variants, bucket="1m", slices=[], **given))


def check(shop: Watch, signal: str) -> LiveCheck:
    return next(one for one in live_checks(shop) if one.signal == signal)


def counted(shop: Watch, signal: str, shares: Mapping[str, float | Rates], seed: int, units: int = 60) -> Series:
    """So many units a minute, in these cells with these chances; the last cell gets the rest."""
    definition = check(shop, signal).definition
    rng, counts = np.random.default_rng(seed), np.zeros((T, len(definition.cells)), np.int64)
    table = np.stack([np.broadcast_to(np.asarray(share, float), (T,)) for share in shares.values()], axis=-1)
    drawn = np.stack([rng.multinomial(units, row / row.sum()) for row in table])
    counts[:, [definition.cells.index(cell) for cell in shares]] = drawn
    return Series(np.arange(T), np.zeros(T, np.int64), counts)


def waits(middle: float | Rates, seed: int, busy: float | Rates = 0.0, units: int = 200) -> dict[str, Any]:
    """A series of `total`: bins around `middle`, ten bins later in the busy stratum, which gets this share."""
    rng = np.random.default_rng(seed)
    counts = np.zeros((T // 10, 9 * 48 + 1), np.int64)
    for t, (m, share) in enumerate(zip(*np.broadcast_arrays(middle, busy, np.empty(T // 10))[:2], strict=True)):
        for stratum, n in ((0, round(units * (1 - share))), (6, round(units * share))):
            values = np.clip(rng.normal(m + (10 if stratum else 0), 3, n).round().astype(int), 0, 47)
            np.add.at(counts[t], stratum * 48 + values, 1)
    return {"total": Series(np.arange(0, T, 10), np.zeros(T // 10, np.int64), counts)}


def facts(variant: str, units: Mapping[str, Series], first: int = 0) -> VariantFacts:
    return VariantFacts(variant, first, T - 1, {}, {("all", signal): series for signal, series in units.items()})


def judged(shop: Watch, here: Mapping[str, Series], beside: Mapping[str, Series], **given: Any) -> Verdict:
    past = Past(given.get("latched") or {}, [], "", given.get("stays") or ())
    return assess(shop, facts("shop-int4", here), [facts("shop-int8", beside)], past, 1.0, given.get("memory"))


def only(verdict: Verdict) -> Finding:
    (finding,) = [one for one in verdict.findings if one.against == "control"]
    return finding


def test_a_gating_signal_worse_than_at_the_control_fails_the_variant_for_good() -> None:
    shop = watch()
    cells = check(shop, "schema").definition
    yes, no = cells.yes[0], cells.no[0]
    here = {"schema": counted(shop, "schema", {no: 0.85, yes: 0.15}, 1)}
    beside = {"schema": counted(shop, "schema", {no: 0.99, yes: 0.01}, 2)}
    verdict = judged(shop, here, beside)
    finding = only(verdict)
    assert (verdict.decision, finding.kind, finding.direction) == (Decision.FAIL, "fail", "more")
    assert finding.harm.lower is not None
    assert 0.02 < finding.harm.lower < 0.14 < (finding.harm.upper or 0.0)
    assert "shop-int8's at the same times" in finding.sentence
    assert "worse than at the control" in verdict.reason
    healed = {"schema": counted(shop, "schema", {no: 0.99, yes: 0.01}, 3)}
    key = ("all", "schema", "more")
    assert judged(shop, healed, beside).decision is Decision.HOLD
    assert judged(shop, healed, beside, stays=(key,)).decision is Decision.FAIL
    assert judged(shop, healed, beside, latched={key: 1.0}).findings == (), "a failing pair says nothing of the control"


def test_a_signal_that_does_not_gate_pages_and_dates_the_change() -> None:
    shop = watch()
    rate = np.repeat([0.01, 0.2], [180, 60])
    here = {"empty": counted(shop, "empty", {"no": 1 - rate, "yes": rate}, 1)}
    beside = {"empty": counted(shop, "empty", {"no": 0.99, "yes": 0.01}, 2)}
    verdict = judged(shop, here, beside)
    finding = only(verdict)
    assert (verdict.decision, finding.kind) == (Decision.HOLD, "change")
    assert finding.since is not None
    assert 175 * 60 <= finding.since <= 185 * 60


def test_a_cycle_that_both_arms_have_is_no_finding_and_the_tolerance_is_tolerated() -> None:
    shop = watch()
    cycle = 0.1 + 0.08 * np.sin(np.arange(T) / 20)
    arms = [{"empty": counted(shop, "empty", {"no": 1 - c, "yes": c}, s)} for s, c in ((1, cycle + 0.01), (2, cycle))]
    assert judged(shop, arms[0], arms[1]).findings == ()


def test_without_a_declared_control_or_before_it_serves_nothing_is_compared() -> None:
    shop = watch(control=None)
    here = {"empty": counted(shop, "empty", {"no": 0.5, "yes": 0.5}, 1)}
    beside = {"empty": counted(shop, "empty", {"no": 0.99, "yes": 0.01}, 2)}
    assert judged(shop, here, beside).findings == ()
    assert assess(watch(), facts("shop-int4", here), [], Past({}, []), 1.0).findings == ()


def test_a_category_that_rose_is_named_though_the_harmful_rate_stayed() -> None:
    shop = watch()
    here = {"refusal": counted(shop, "refusal", {"none": 0.8, "partial": 0.02, "full": 0.18}, 1)}
    beside = {"refusal": counted(shop, "refusal", {"none": 0.8, "partial": 0.18, "full": 0.02}, 2)}
    finding = only(judged(shop, here, beside))
    assert finding.direction == "shift"
    assert "more full" in finding.sentence
    assert "less partial" in finding.sentence
    assert "none" not in finding.sentence


def test_reasons_to_end_that_shift_are_named_though_as_many_answers_are_cut_off() -> None:
    """More filtered answers and fewer tool calls: neither is a truncation."""
    shop = watch()
    usual = {"stop": 0.6, "length": 0.05, "tool_calls": 0.3, "content_filter": 0.02, "other": 0.03}
    moved = usual | {"tool_calls": 0.2, "content_filter": 0.12}
    arms = [{"finish_reason": counted(shop, "finish_reason", mix, seed)} for seed, mix in ((1, moved), (2, usual))]
    finding = only(judged(shop, *arms))
    assert (finding.kind, finding.signal, finding.direction) == ("change", "finish_reason", "shift")
    assert "more content_filter" in finding.sentence
    assert "less tool_calls" in finding.sentence
    assert "length" not in finding.sentence
    alike = [{"finish_reason": counted(shop, "finish_reason", usual, seed)} for seed in (3, 4)]
    assert judged(shop, *alike).findings == ()


@pytest.mark.parametrize(
    ("signal", "usual", "moved", "named"),
    [
        (
            "refusal",
            {"none": 0.8, "partial": 0.18, "full": 0.02},
            {"none": 0.8, "partial": 0.02, "full": 0.18},
            {"more full", "less partial"},
        ),
        (
            "finish_reason",
            {"stop": 0.6, "length": 0.05, "tool_calls": 0.33, "content_filter": 0.02},
            {"stop": 0.7, "length": 0.05, "tool_calls": 0.05, "content_filter": 0.2},
            {"less tool_calls", "more content_filter", "more stop"},
        ),
    ],
)
def test_a_shift_against_the_past_is_a_ticket_that_names_what_rose_and_what_fell(
    signal: str, usual: Mapping[str, float], moved: Mapping[str, float], named: set[str]
) -> None:
    shop, hours = watch(control=None), 30 * 60
    before = counted(shop, signal, usual, 1, units=60 * hours // T)
    past = replace(before, buckets=np.arange(T) * (hours // T))
    live = counted(shop, signal, moved, 2)
    old = VariantFacts("shop-int8", 0, hours - 1, {}, {("all", signal): past})
    for series, found in ((live, 1), (counted(shop, signal, usual, 3), 0)):
        now = replace(series, buckets=series.buckets + hours)
        new = VariantFacts("shop-int4", hours, hours + T - 1, {}, {("all", signal): now})
        findings = assess(shop, new, [old], Past({}, []), 1.0).findings
        assert len(findings) == found
        for finding in findings:
            assert (finding.kind, finding.signal, finding.against) == ("ticket", signal, "past")
            inside = finding.sentence.partition("(")[2].partition(")")[0]
            assert set(inside.split(", ")) <= named
            assert len(inside.split(", ")) >= 2


def test_a_finish_reason_that_gates_fails_the_variant_beside_its_control() -> None:
    shop = watch(signals={"finish_reason": {"gates": True, "tolerance": 0.05}})
    usual, moved = {"stop": 0.95, "length": 0.05}, {"stop": 0.7, "length": 0.3}
    arms = [{"finish_reason": counted(shop, "finish_reason", mix, seed)} for seed, mix in ((1, moved), (2, usual))]
    verdict = judged(shop, *arms)
    assert (verdict.decision, only(verdict).kind) == (Decision.FAIL, "fail")


def test_a_longer_tail_pages_within_its_stratum() -> None:
    finding = only(judged(watch(), waits(24, 1, busy=0.3), waits(20, 2, busy=0.3)))
    assert (finding.kind, finding.signal, finding.direction) == ("change", "total", "longer")
    assert "slow tail" in finding.sentence
    slow = waits(20, 1, busy=0.3)
    slow["total"].counts[:, 6 * 48 : 7 * 48] = np.roll(slow["total"].counts[:, 6 * 48 : 7 * 48], 4, axis=1)
    busy = only(judged(watch(), slow, waits(20, 2, busy=0.3)))
    assert "16 or more requests running and prompts of fewer than 512 tokens" in busy.sentence


def test_load_that_doubles_with_a_constant_service_is_no_finding() -> None:
    busy = np.repeat([0.1, 0.6], 12)
    arms = [waits(20, seed, busy=busy, units=400) for seed in (1, 2)]
    assert judged(watch(), arms[0], arms[1]).findings == ()
    alone = waits(20, 3, busy=np.repeat([0.1, 0.6], 12))["total"]
    pooled = alone.counts[:, : 9 * 48].reshape(-1, 9, 48).sum(axis=1)
    assert pooled[12:, 26:].sum() > 3 * pooled[:12, 26:].sum(), "pooled over strata it would be a longer tail"


def test_a_tail_as_much_longer_as_is_tolerated_is_no_finding() -> None:
    assert bins("total", 0.02) == (0, pytest.approx(0.0685, abs=1e-3))
    assert bins("total", 0.4)[0] == 1
    alike = watch(signals={"total": {"tolerance": 0.34}})
    assert judged(alike, waits(21, 1), waits(20, 2)).findings == ()
    assert only(judged(alike, waits(23, 1), waits(20, 2))).signal == "total"
    wide = watch(signals={"total": {"tolerance": 1.5}})
    assert judged(wide, waits(23, 1), waits(20, 2)).findings == ()


def milliseconds(slower: float, seed: int, busy: float | Rates = 0.0) -> dict[str, Any]:
    """A series of `total`: log-normal waits around 800 ms, 2.5 times as long in the busy stratum, in the real bins."""
    rng, counts = np.random.default_rng(seed), np.zeros((T // 10, 9 * 48 + 1), np.int64)
    for t, share in enumerate(np.broadcast_to(np.asarray(busy, float), (T // 10,))):
        for stratum, n in ((0, round(1_000 * (1 - share))), (6, round(1_000 * share))):
            values = slower * 800 * (2.5 if stratum else 1.0) * rng.lognormal(0, 0.5, n)
            np.add.at(counts[t], stratum * 48 + np.searchsorted(EDGES["total"], 1_000 * values, side="right"), 1)
    return {"total": Series(np.arange(0, T, 10), np.zeros(T // 10, np.int64), counts)}


def test_a_tail_a_fifth_longer_is_found_although_a_bin_is_a_third_and_its_size_is_told() -> None:
    finding = only(judged(watch(), milliseconds(1.2, 1), milliseconds(1.0, 2)))
    assert (finding.kind, finding.direction) == ("change", "longer")
    true = [factor * 800 * np.exp(1.645 * 0.5) for factor in (1.2, 1.0)]
    told = re.findall(r"([\d,]+) to ([\d,]+) ms", finding.sentence)
    for (low, high), quantile in zip(told, true, strict=True):
        assert float(low.replace(",", "")) <= quantile <= float(high.replace(",", ""))
    quarter = watch(signals={"total": {"tolerance": 0.25}})
    assert judged(quarter, milliseconds(1.2, 1), milliseconds(1.0, 2)).findings == ()
    assert judged(watch(), milliseconds(1.0, 1), milliseconds(1.0, 2)).findings == ()


def test_load_that_doubles_at_one_arm_alone_is_no_longer_service() -> None:
    """The trap: each stratum is as fast as before, and what users wait is longer."""
    busy = np.repeat([0.1, 0.6], 12)
    assert judged(watch(), milliseconds(1.0, 1, busy), milliseconds(1.0, 2, 0.1)).findings == ()
    slow = only(judged(watch(), milliseconds(1.3, 1, busy), milliseconds(1.0, 2, 0.1)))
    assert slow.direction == "longer"


def test_a_slice_has_a_latency_check_of_its_own_where_the_plan_says_so() -> None:
    slices = [{"name": "checkout", "latency": True}, {"name": "search"}]
    variants = SHOP["variants"] | {"shop-int4": {"control": "shop-int8"}}
    shop = Watch("shop", plan(bot=False, variants=variants, bucket="1m", slices=slices))
    latencies = {one.slice for one in live_checks(shop) if one.direction == "longer"}
    assert latencies == {"all", "checkout"}
    units = [{("all", "total"): milliseconds(1.0, s)["total"]} for s in (1, 2)]
    for arm, seed, slower in zip(units, (3, 4), (1.3, 1.0), strict=True):
        arm["checkout", "total"] = milliseconds(slower, seed)["total"]
    arms = [VariantFacts(v, 0, T - 1, {}, each) for v, each in zip(("shop-int4", "shop-int8"), units, strict=True)]
    finding = only(assess(shop, arms[0], [arms[1]], Past({}, []), 1.0))
    assert (finding.slice, finding.signal) == ("checkout", "total")


def test_going_on_from_memory_equals_computing_anew_and_other_facts_are_not_believed() -> None:
    shop, memory = watch(), Memory()
    here = counted(shop, "empty", {"no": 0.9, "yes": 0.1}, 1)
    beside = {"empty": counted(shop, "empty", {"no": 0.99, "yes": 0.01}, 2)}
    for end in (3, 50, 50, 51, T, T, 120):
        part = {"empty": Series(here.buckets[:end], here.levels[:end], here.counts[:end])}
        assert judged(shop, part, beside, memory=memory) == judged(shop, part, beside)
    amended = {"empty": replace(here, counts=np.flip(here.counts, axis=0).copy())}
    assert judged(shop, amended, beside, memory=memory) == judged(shop, amended, beside)
    assert memory.controls


@pytest.mark.parametrize("control", [None, "shop-int8"])
def test_the_budget_counts_what_may_page_and_fail(control: str | None) -> None:
    numbers, bare = budget(watch(control)), budget(watch(None))
    live = live_checks(watch(control))
    assert numbers.pages - bare.pages == (len(live) if control else 0)
    gates = sum(c.signal in ("schema", "tool_call", "refusal") for c in live)
    assert numbers.checks - bare.checks == (gates if control else 0)
    assert numbers.tickets == bare.tickets
