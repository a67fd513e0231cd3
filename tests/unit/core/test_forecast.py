"""What a forecast makes of a sample: pace, sampling, copies, limits, levels, and what would help."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from monitor.checks import check_table, declared_levels
from monitor.evidence.bets import SCORE_GRID
from monitor.evidence.check import Bar
from monitor.evidence.rehearsal import Stage, rehearse
from monitor.forecast.assumed import ENOUGH, FEW, USUAL, harmed, harmless
from monitor.forecast.load import loads
from monitor.forecast.meeting import Meeting
from monitor.forecast.outlook import Outlook, outlook
from monitor.forecast.traffic import Unit, budgeted, pairs_of, shares, traffic_of
from monitor.forecast.waits import LIMIT, Pace, grouped
from monitor.model import Missing
from monitor.outcomes import code
from monitor.pairs import JOINT, REASONS
from monitor.series import Series
from monitor.watch import Watch
from services.planfile import parse_plan
from tests.acceptance import llama31

MASKS = {"all": b"\x80", "some": b"\xc0"}
NONE = code(Missing.NO_SCHEMA)


def watch(**shop: Any) -> Watch:
    arm = {"backend": "recorded", "model": "none.jsonl"}
    whole: dict[str, Any] = {
        "reference": "shop-fp16",
        "variants": {"shop-fp16": {"arm": arm}, "shop-int4": {}},
        "slices": [{"name": "some", "where": {"tags": {"route": "some"}}}],
        "signals": {"refusal": {"gates": False}, "score": {"gates": False}, "tool_call": {"gates": False}},
        "shadow": {"share": 1.0, "second_share": 0.0},
    }
    return Watch(
        "shop", parse_plan(f"deployments: {{shop: {whole | shop}}}".replace("'", '"').replace("False", "false"))
    )


def unit(number: int = 0, **given: Any) -> Unit:
    whole: dict[str, Any] = {
        "variant": "shop-int4",
        "time": number * 10_000,
        "bucket": number * 10_000 // 60_000,
        "mask": MASKS["all"],
        "prompt_hash": number,
        "refusal": None,
        "prompt_tokens": 100,
        "answer_tokens": 50,
        "counted": True,
        "logged": {"schema": 0},
        "again": {"schema": 0},
        "reference": None,
    }
    return Unit(**(whole | given))


def units(size: int = 1000, **given: Any) -> list[Unit]:
    """A unit every ten seconds."""
    return [unit(number, **given) for number in range(size)]


def seen(watch: Watch, found: Sequence[Unit], answered: float = 1.0, variant: str = "shop-int4") -> Outlook:
    traffic = traffic_of(variant, found)
    assert traffic is not None
    sampler = budgeted(watch, traffic.units, traffic.hours)
    return outlook(watch, traffic, sampler, answered, np.random.default_rng(1))


def test_the_pace_comes_from_first_to_last() -> None:
    traffic = traffic_of("shop-int4", units(361))
    assert traffic is not None
    assert len(traffic.units) / traffic.hours == pytest.approx(360)
    assert traffic_of("shop-int4", units(1)) is None
    assert traffic_of("shop-int4", []) is None


def test_a_variant_that_the_log_lacks_is_taken_to_serve_all_of_it() -> None:
    traffic = traffic_of("shop-int8", units(10))
    assert traffic is not None
    assert not traffic.own
    assert len(traffic.units) == 10


def test_pairs_follow_sampling() -> None:
    halved = watch(shadow={"share": 0.5, "strata": {"some": 0.25}})
    found = seen(halved, [*units(500), *(unit(500 + n, mask=MASKS["some"]) for n in range(500))])
    by_slice = {check.slice: check for check in found.checks}
    assert by_slice["some"].pairs_per_hour == pytest.approx(180 / 4, rel=0.01)
    assert by_slice["all"].pairs_per_hour == pytest.approx(180 / 4 + 180 / 2, rel=0.01)


def test_a_budget_an_hour_halves_the_shares_until_it_fits() -> None:
    found = seen(watch(shadow={"share": 1.0, "per_hour": 100}), units())
    assert found.pairs_per_hour == pytest.approx(360 / 4, rel=0.01)


def test_of_several_copies_in_a_bucket_one_is_a_pair() -> None:
    bot = units(prompt_hash=7)
    assert seen(watch(), bot).pairs_per_hour == pytest.approx(60, rel=0.02)
    kept = pairs_of([unit(prompt_hash=7)] * 4, np.full(4, 0.5))
    assert kept.sum() == pytest.approx(1 - 0.5**4)


def test_units_without_a_replay_are_counted_and_above_the_limit_the_check_holds() -> None:
    lacking = [unit(n, refusal="no messages" if n % 4 == 0 else None) for n in range(1000)]
    (check,) = [c for c in seen(watch(), lacking).checks if c.slice == "all"]
    assert check.pairs_per_hour == pytest.approx(270, rel=0.01)
    assert "25% of its pairs lack an arm" in check.held
    assert check.passes.median is None
    assert check.fails.median is not None
    (fine,) = [c for c in seen(watch(shadow={"share": 1.0, "excluded_limit": 0.3}), lacking).checks if c.slice == "all"]
    assert fine.held == ""
    assert fine.passes.median is not None


def test_a_reference_that_runs_into_its_daily_limit_leaves_fewer_pairs() -> None:
    (check,) = [c for c in seen(watch(), units(), answered=0.9).checks if c.slice == "all"]
    assert check.pairs_per_hour == pytest.approx(324, rel=0.01)


def test_a_signal_that_applies_to_nothing_is_named_and_gets_no_row() -> None:
    found = seen(watch(), units(logged={"schema": NONE}, again={"schema": NONE}))
    assert found.checks == ()
    assert found.silent == ("all/schema", "some/schema")
    assert found.passes is None


def test_an_answer_that_only_the_log_can_judge_makes_no_pair() -> None:
    """A score that came with the request cannot be given to the reference's answer."""
    (check,) = [c for c in seen(watch(), units(again={"schema": NONE})).checks if c.slice == "all"]
    assert check.pairs_per_hour == 0
    assert check.passes.median is None
    assert check.fails.median is None


def test_a_check_that_is_never_decided_is_told_what_would_decide_it() -> None:
    rare = watch(shadow={"share": 0.01}, signals={**gates("schema"), "schema": {"tolerance": 0.03}})
    found = seen(rare, [*units(3000), *(unit(3000 + n * 5, mask=MASKS["some"]) for n in range(200))])
    (check,) = [c for c in found.checks if c.slice == "some"]
    assert check.passes.median is None or check.fails.median is None
    helps = {advice.key: advice for advice in check.advice}
    assert set(helps) >= {"shadow.strata.some", "slice"}
    assert helps["slice"].value == "all"
    raised = watch(
        shadow={"share": 0.01, "strata": {"some": helps["shadow.strata.some"].value}},
        signals={**gates("schema"), "schema": {"tolerance": 0.03}},
    )
    again = seen(raised, [*units(3000), *(unit(3000 + n * 5, mask=MASKS["some"]) for n in range(200))])
    (better,) = [c for c in again.checks if c.slice == "some"]
    assert better.passes.median is not None
    assert better.fails.median is not None


def test_a_wider_tolerance_that_helps_does_help() -> None:
    noisy = [unit(n, logged={"schema": n % 2}, again={"schema": n % 2}) for n in range(1000)]
    strict = {**gates("schema"), "schema": {"tolerance": 0.002}}
    (check,) = [c for c in seen(watch(signals=strict, shadow={"share": 0.2}), noisy).checks if c.slice == "all"]
    assert check.passes.median is None
    (advice,) = [one for one in check.advice if one.key == "signals.schema.tolerance"]
    wide = {**strict, "schema": {"tolerance": advice.value}}
    (better,) = [c for c in seen(watch(signals=wide, shadow={"share": 0.2}), noisy).checks if c.slice == "all"]
    assert better.passes.median is not None


def gates(only: str) -> dict[str, dict[str, bool]]:
    return {name: {"gates": False} for name in ("schema", "tool_call", "refusal", "score") if name != only}


def meeting(**given: Any) -> Meeting:
    whole: dict[str, Any] = {
        "slice": "all",
        "signal": "schema",
        "direction": "more",
        "units": 100.0,
        "applicable": 10.0,
        "levels": {1.0: 10.0},
        "logged": np.array([0.0] * 90 + [1.0] * 10),
        "seen": 100,
        "differences": np.zeros(0),
    }
    return Meeting(**(whole | given))


@pytest.mark.parametrize(("build", "share"), [("q8_0", FEW), ("q4_K_M", USUAL)])
@pytest.mark.parametrize("task", llama31.TASKS)
def test_the_assumed_shares_are_those_of_real_pairs(build: str, share: float, task: str) -> None:
    """How far scores differ from fp16's, over how far two independent answers to any prompts would."""
    rows = [row["arms"] for row in llama31.rows() if row["task"] == task]
    own = np.array([arms[build]["score"] for arms in rows])
    apart = np.abs(own - np.array([arms["fp16"]["score"] for arms in rows])).mean()
    assert apart / np.abs(own[:, None] - own[None, :]).mean() == pytest.approx(share, rel=0.35)


def test_what_is_assumed_is_what_is_printed() -> None:
    rate = 10.5 / 101
    better, same, worse = harmless(meeting(), USUAL).tolist()
    assert better == worse == pytest.approx(USUAL * rate * (1 - rate))
    assert better + same + worse == pytest.approx(1.0)


def test_pairs_that_the_log_brought_are_believed_instead() -> None:
    brought = np.array([1.0] * 8 + [-1.0] * 4 + [0.0] * (ENOUGH - 12))
    better, _, worse = harmless(meeting(differences=brought), USUAL).tolist()
    assert better == worse == pytest.approx(6.5 / (ENOUGH + 1))


@pytest.mark.parametrize("signal", ["schema", "score", "length"])
def test_harm_is_as_large_as_it_is_said_to_be(signal: str) -> None:
    values = np.linspace(0.0, 1.0, 50)
    met = meeting(signal=signal, logged=values if signal != "schema" else meeting().logged)
    support = (-1.0, 0.0, 1.0) if signal == "schema" else SCORE_GRID
    base = harmless(met, USUAL)
    assert float(base @ np.array(support)) == pytest.approx(0.0, abs=1e-9)
    assert float(harmed(met, base, 0.06) @ np.array(support)) == pytest.approx(0.06, abs=1e-3)


def test_mixed_levels_are_grouped_and_weighted_as_the_tables_of_checks_do_it() -> None:
    rule = watch(shadow={"share": 0.25, "strata": {"some": 1.0}}).rule.shadow
    rng, rows = np.random.default_rng(2), []
    for bucket in range(4000):
        for level, rate in ((250_000, 0.5), (1_000_000, 1.0)):
            if size := int(rng.poisson(rate)):
                counts = np.zeros(JOINT + len(REASONS), np.int64)
                counts[2 * 9 + 2] = size
                rows.append((bucket, level, counts))
    buckets, levels, cells = zip(*rows, strict=True)
    series = Series(np.array(buckets), np.array(levels), np.stack(cells))
    table = check_table(series, "schema", "more", declared_levels(rule))
    found = table.blocks.sum(axis=0).reshape(-1, 3).sum(axis=1) / table.blocks.sum()
    pace = Pace(Bar(0.02, 0.01, 0.05), 1 / 60, 0.5, 30, {0.25: 1.0, 1.0: 0.25})
    support, weights, parts = grouped(meeting(levels={0.25: 30.0, 1.0: 60.0}), pace)
    assert (support, weights) == (table.support, table.weights)
    assert parts == pytest.approx(found, abs=0.02)


def test_one_level_is_not_weighted() -> None:
    assert grouped(meeting(), Pace(Bar(0.02, 0.01, 0.05), 1 / 60, 0.5, 30, {1.0: 1.0}))[1] is None


def test_rehearsals_are_the_same_for_the_same_seed_and_stop_at_their_most() -> None:
    stage = Stage((-1.0, 0.0, 1.0), Bar(0.02, 0.01, 0.05), 5.0, 300.0)
    quiet = np.array([[0.001, 0.998, 0.001]])
    one, two = (rehearse(stage, quiet, "pass", np.random.default_rng(4)) for _ in range(2))
    assert one.tolist() == two.tolist()
    assert all(math.isinf(pairs) or pairs <= 300 for pairs in one.ravel())


def test_nothing_takes_longer_than_the_limit() -> None:
    slow = seen(watch(shadow={"share": 0.002}), units(3000))
    for check in slow.checks:
        for wait in (check.passes, check.fails):
            assert all(hours is None or 0 < hours <= LIMIT for hours in (wait.median, wait.early, wait.late))


def test_the_shadow_s_day_counts_every_arm_and_its_price() -> None:
    price = {"input": 2.0, "output": 10.0}
    arm = {"backend": "openai", "url": "http://127.0.0.1:1/v1", "model": "m"}
    variants = {
        "shop-fp16": {"arm": {**arm, "price_per_million": price, "tokens_per_day": 648_000}},
        "shop-int4": {"arm": arm},
    }
    shop = watch(variants=variants, shadow={"share": 0.5, "second_share": 0.25})
    traffic = traffic_of("shop-int4", units())
    assert traffic is not None
    sampled = shares(shop, budgeted(shop, traffic.units, traffic.hours), traffic.units)
    reference, deployed = loads(shop, traffic.units, sampled, traffic.hours)
    assert reference.replays == pytest.approx(360 * 24 * 0.5 * 1.25, rel=0.01)
    assert reference.cost == pytest.approx(reference.replays * (100 * 2.0 + 50 * 10.0) / 1e6)
    assert reference.allowed == pytest.approx(648_000 / (reference.replays * 150))
    assert deployed.replays == pytest.approx(360 * 24 * 0.5, rel=0.01)
    assert (deployed.cost, deployed.allowed) == (None, 1.0)
