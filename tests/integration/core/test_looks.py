"""What one look knows of another: builds judged together, facts that were changed, and a signal that is another now."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest
from sqlalchemy.engine import Engine

from monitor.assess import AMENDED
from monitor.errors import IntegrityError
from monitor.model import Decision, Verdict
from monitor.plan import Plan
from services.evaluate import Evaluator
from tests.support.events import SCHEMA, START, line, plan, request
from tests.support.stores import ListSource, clock, store, take

BUILDS = {"fp16": 1.0, "q8": 0.8, "q2": 0.2, "q4": 0.4}
"""In order of their first appearance, with what they cost."""
GATES = {signal: {"gates": False} for signal in ("tool_call", "refusal", "score")} | {"schema": {"tolerance": 0.3}}
FORM = {"type": "json_schema", "json_schema": {"name": "order", "schema": SCHEMA}}


def watched(**given: Any) -> Plan:
    variants = {name: {"cost": cost} for name, cost in BUILDS.items()}
    shop = {"reference": "fp16", "variants": variants, "slices": [], "signals": GATES, "unit_turns": [1.0]}
    return plan(bot=False, **(shop | given))


def log(broken: Mapping[str, float], minutes: int = 60) -> Iterator[bytes]:
    """Six requests a minute for each build, with the reference's answer; a share of a build's own is no JSON."""
    for n in range(6 * minutes):
        for variant, share in broken.items():
            text = "no" if n % 10 < 10 * share else '{"sku": "a"}'
            yield line(
                request(
                    f"{variant}-{n}",
                    START + 10 * n,
                    variant=variant,
                    response_format=FORM,
                    output={"text": text, "finish_reason": "stop"},
                    reference={"text": '{"sku": "a"}', "finish_reason": "stop"},
                )
            )


def looked(evaluator: Evaluator, **given: Any) -> dict[str, Verdict]:
    return {verdict.variant: verdict for verdict in evaluator.look(everything=True, **given)}


def test_a_rollback_goes_to_the_cheapest_build_that_this_very_look_passes(tmp_path: Path) -> None:
    engine, shop = store(tmp_path), watched()
    take(engine, shop, ListSource(list(log({"q8": 0.0, "q2": 1.0, "q4": 0.0}))))
    found = looked(Evaluator(engine, shop, clock))
    assert {name: verdict.decision for name, verdict in found.items()} == {
        "q8": Decision.PASS,
        "q2": Decision.FAIL,
        "q4": Decision.PASS,
    }
    advice = found["q2"].recommendation
    assert (advice.action, advice.to, advice.proven) == ("roll_back", "q4", True)


def test_sealed_facts_that_were_changed_make_it_hold_and_stay_so(tmp_path: Path) -> None:
    engine, shop = store(tmp_path), watched()
    take(engine, shop, ListSource(list(log({"q4": 0.0}))))
    evaluator = Evaluator(engine, shop, clock)
    assert looked(evaluator, as_of=START + 1_500)["q4"].decision is Decision.PASS
    with engine.begin() as connection:
        connection.exec_driver_sql(
            "DELETE FROM fact WHERE population = 'pair' AND bucket = (SELECT min(bucket) FROM fact)"
        )
    for until in (2_000.0, 2_500.0, None):
        verdict = looked(Evaluator(engine, shop, clock), as_of=None if until is None else START + until)["q4"]
        assert (verdict.decision, verdict.reason) == (Decision.HOLD, AMENDED)
        assert verdict.recommendation.action == "hold"


def test_facts_from_the_future_are_not_read_and_hide_nothing_that_comes_before_them(tmp_path: Path) -> None:
    """A reader goes forward: had it read a row beyond the cut-off, it would pass over all that is sealed before it."""
    engine, shop = store(tmp_path), watched()
    take(engine, shop, ListSource(list(log({"q4": 0.2}))))
    evaluator = Evaluator(engine, shop, clock)
    early = looked(evaluator, as_of=START + 1_500)["q4"]
    with engine.begin() as connection:
        copied = "variant, slice, signal, definition, population, level, bucket + 1000000, counts"
        connection.exec_driver_sql(
            f"INSERT INTO fact SELECT deployment, {copied} FROM fact WHERE bucket = (SELECT max(bucket) - 3 FROM fact)"
        )
    late = looked(evaluator, as_of=START + 3_600)["q4"]
    assert sum(check.pairs for check in late.checks) > 2 * sum(check.pairs for check in early.checks)
    assert late == looked_anew(engine, shop, as_of=START + 3_600)
    with engine.begin() as connection:
        connection.exec_driver_sql("DELETE FROM fact WHERE bucket > 900000 + (SELECT min(bucket) FROM fact)")
    assert late == looked_anew(engine, shop, as_of=START + 3_600)


AMENDMENTS = (
    "DELETE FROM fact WHERE population = 'pair' AND bucket = (SELECT min(bucket) FROM fact)",
    "UPDATE fact SET counts = (SELECT max(counts) FROM fact AS f WHERE f.signal = fact.signal AND f.counts <> "
    "fact.counts AND f.population = 'pair') WHERE population = 'pair' AND signal = 'schema' AND bucket = "
    "(SELECT min(bucket) + 3 FROM fact) AND slice = 'all'",
    "UPDATE fact SET bucket = bucket - 1 WHERE population = 'pair' AND bucket = (SELECT min(bucket) FROM fact)",
    "DELETE FROM fact WHERE population = 'unit' AND signal = 'schema' AND bucket = (SELECT min(bucket) + 40 FROM fact)",
)


@pytest.mark.parametrize(("amendment", "again"), [*((one, 20_000) for one in AMENDMENTS), (AMENDMENTS[-1], 400)])
def test_an_evaluator_that_runs_on_sees_that_facts_were_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, amendment: str, again: int
) -> None:
    """A small store is read again at every look, a large one in turn."""
    monkeypatch.setattr("services.store.facts.AGAIN", again)
    engine, shop = store(tmp_path), watched()
    take(engine, shop, ListSource(list(log({"q4": 0.2}))))
    evaluator = Evaluator(engine, shop, clock)
    assert looked(evaluator, as_of=START + 1_500)["q4"].reason != AMENDED
    with engine.begin() as connection:
        assert connection.exec_driver_sql(amendment).rowcount > 0
    until = [START + second for second in range(1_530, 3_600, 30)]
    looks = (looked(evaluator, as_of=second)["q4"] for second in until)
    first = next(n for n, verdict in enumerate(looks) if verdict.reason == AMENDED)
    assert first == 0 if again == 20_000 else first < 20
    assert looked(evaluator)["q4"] == looked_anew(engine, shop)


@pytest.mark.parametrize(("counts", "what"), [("X'0500'", "a broken length"), ("X'0100000009000000' || counts", "")])
def test_a_sealed_row_that_contradicts_itself_is_a_named_error_also_under_a_running_evaluator(
    tmp_path: Path, counts: str, what: str
) -> None:
    engine, shop = store(tmp_path), watched()
    take(engine, shop, ListSource(list(log({"q4": 0.2}, 20))))
    running = Evaluator(engine, shop, clock)
    looked(running, as_of=START + 600)
    with engine.begin() as connection:
        row = "population = 'pair' AND signal = 'schema' AND bucket = (SELECT min(bucket) + 3 FROM fact)"
        connection.exec_driver_sql(f"UPDATE fact SET counts = CAST({counts} AS BLOB) WHERE {row}")
    for evaluator in (running, Evaluator(engine, shop, clock)):
        with pytest.raises(IntegrityError, match=f"a sealed row .*{what}"):
            looked(evaluator, as_of=START + 700)


def looked_anew(engine: Engine, shop: Plan, **given: Any) -> Verdict:
    """What a new evaluator says of the same facts, where the last look was not yet."""
    with engine.begin() as connection:
        connection.exec_driver_sql("DELETE FROM look WHERE cutoff = (SELECT max(cutoff) FROM look)")
    return looked(Evaluator(engine, shop, clock), **given)["q4"]


def test_facts_that_only_grew_are_the_same_facts(tmp_path: Path) -> None:
    engine, shop = store(tmp_path), watched()
    take(engine, shop, ListSource(list(log({"q4": 0.0}))))
    for until in (1_500.0, 2_000.0, None):
        found = looked(Evaluator(engine, shop, clock), as_of=None if until is None else START + until)
        assert found["q4"].decision is Decision.PASS


def test_a_signal_that_means_something_else_in_a_new_plan_is_a_new_series(tmp_path: Path) -> None:
    """The old one's failures are neither forgotten nor continued."""
    engine = store(tmp_path)
    old = watched(patterns=[{"name": "sku", "expression": "sku"}], signals=GATES | {"pattern:sku": {"gates": True}})
    new = watched(patterns=[{"name": "sku", "expression": "s|n"}], signals=GATES | {"pattern:sku": {"gates": True}})
    take(engine, old, ListSource(list(log({"q4": 1.0}))))
    before = looked(Evaluator(engine, old, clock))["q4"]
    assert [check.signal for check in before.checks if check.decision is Decision.FAIL] == ["schema", "pattern:sku"]
    after = looked(Evaluator(engine, new, clock))["q4"]
    assert "pattern:sku" not in {check.signal for check in after.checks}
    assert "schema" in {check.signal for check in after.checks}


def test_what_failed_beside_a_control_stays_failed_once_it_is_mended(tmp_path: Path) -> None:
    """The reference is not asked at all: the only evidence is the build that serves at the same time."""
    variants = {"q8": {}, "q4": {"control": "q8"}}
    strict = GATES | {"schema": {"tolerance": 0.02}}
    engine, shop = store(tmp_path), watched(variants=variants, reference=None, signals=strict)
    bad = list(log({"q8": 0.0, "q4": 0.5}, 10))
    mended = list(log({"q8": 0.1, "q4": 0.0}, 100))[len(bad) :]
    lines = [line({k: v for k, v in msgspec.json.decode(one).items() if k != "reference"}) for one in (*bad, *mended)]
    take(engine, shop, ListSource(lines))
    first = looked(Evaluator(engine, shop, clock), as_of=START + 600)["q4"]
    last = looked(Evaluator(engine, shop, clock))["q4"]
    for verdict in (first, last):
        assert verdict.decision is Decision.FAIL
        assert "schema" in {f.signal for f in verdict.findings if (f.kind, f.against) == ("fail", "control")}
    assert last.as_of > first.as_of
