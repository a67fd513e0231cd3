"""`quantwatch plan check FILE --log SAMPLE`: how long until the checks are decided, in words and in JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.events import SCHEMA, START, Json, request

PRICE = {"input": 1.0, "output": 2.0}
ARM = {"backend": "openai", "url": "http://127.0.0.1:1/v1", "model": "m", "price_per_million": PRICE}
SHOP: Json = {
    "reference": "shop-fp16",
    "variants": {"shop-fp16": {"arm": ARM}, "shop-int4": {}, "shop-int3": {}},
    "slices": [{"name": "rare", "where": {"tags": {"route": "rare"}}}],
    "signals": {"refusal": {"gates": False}, "tool_call": {"gates": False}},
    "shadow": {"share": 0.05},
}


def log(number: int = 600) -> list[Json]:
    """Half an hour of requests, all with a schema, one in 200 of them rare."""
    asked = {"response_format": {"type": "json_schema", "json_schema": {"name": "o", "schema": SCHEMA}}}
    answer = {"text": '{"sku":"a1"}', "finish_reason": "stop"}
    return [
        request(f"r{n}", START + 3 * n, output=answer, tags={"route": "rare" if n % 200 == 0 else "order"}, **asked)
        for n in range(number)
    ]


@pytest.fixture
def files(folder: Path) -> tuple[Path, Path]:
    """A plan and a log of its traffic."""
    plan, sample = folder / "plan.yaml", folder / "log.jsonl"
    plan.write_text(json.dumps({"deployments": {"shop": SHOP}}))
    sample.write_text("".join(json.dumps(event) + "\n" for event in log()))
    return plan, sample


def test_people_read_hours_costs_and_what_would_help(quantwatch: Any, files: tuple[Path, Path]) -> None:
    ran = quantwatch("plan", "check", files[0], "--log", files[1])
    assert (ran.code, ran.err) == (0, "")
    assert "read from the log: 600 requests" in ran.out
    assert "assumed of pairs not yet seen: to 20% of the requests" in ran.out
    assert "shadow, shop-fp16: 1.58 k replays a day, about " in ran.out
    assert "shop-int4: 1,200 units and 60 pairs an hour" in ran.out
    assert "shop-int3 (not in the log: as if it served all of it)" in ran.out
    assert "all    schema (more)" in ran.out
    assert "rare/schema (more) does not" in ran.out
    assert "it would with: shadow.strata.rare: " in ran.out
    assert "never decided, as their signal applies to nothing in the log: all/score, rare/score" in ran.out


def test_machines_read_the_same_as_json(quantwatch: Any, files: tuple[Path, Path]) -> None:
    ((said,),) = (quantwatch("plan", "check", files[0], "--log", files[1], "--json").json,)
    found = said["forecast"]
    assert found["accepted"] == 600
    assert found["assumed"]["independent"] == 0.2
    (shop,) = found["deployments"]
    assert shop["loads"][0]["cost"] > 0
    variant = next(each for each in shop["variants"] if each["variant"] == "shop-int4")
    check = next(c for c in variant["checks"] if c["slice"] == "all")
    assert check["passes"]["early"] <= check["passes"]["median"] <= check["passes"]["late"]
    assert variant["passes"] is None or variant["passes"] >= check["passes"]["median"]
    assert quantwatch("plan", "check", files[0], "--json").json[0]["forecast"] is None


def test_nothing_is_written(quantwatch: Any, files: tuple[Path, Path], folder: Path) -> None:
    before = sorted(folder.iterdir())
    quantwatch("plan", "check", files[0], "--log", files[1])
    assert sorted(folder.iterdir()) == before


def test_a_log_of_other_traffic_is_refused_with_the_reason(quantwatch: Any, files: tuple[Path, Path]) -> None:
    files[1].write_text("".join(json.dumps(event | {"variant": "other"}) + "\n" for event in log(20)))
    ran = quantwatch("plan", "check", files[0], "--log", files[1])
    assert "no record of this plan's deployments (unknown_variant: 20)" in ran.refusal


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("", "is empty"),
        ("\x00\x01binary\n", "is binary"),
        ("no JSON\n", "no record of this plan's deployments (not_json: 1)"),
    ],
)
def test_a_file_that_is_no_log_is_refused(quantwatch: Any, files: tuple[Path, Path], body: str, said: str) -> None:
    files[1].write_text(body)
    assert said in quantwatch("plan", "check", files[0], "--log", files[1]).refusal


def test_without_a_reference_there_is_nothing_to_forecast(quantwatch: Any, files: tuple[Path, Path]) -> None:
    bare = {key: value for key, value in SHOP.items() if key != "reference"}
    files[0].write_text(json.dumps({"deployments": {"shop": bare}}))
    assert "no forecast: no `reference` in the plan" in quantwatch("plan", "check", files[0], "--log", files[1]).out


def test_texts_that_are_not_kept_leave_no_pairs(quantwatch: Any, files: tuple[Path, Path]) -> None:
    files[0].write_text(json.dumps({"deployments": {"shop": SHOP}, "text": "none"}))
    out = quantwatch("plan", "check", files[0], "--log", files[1]).out
    assert "100% of the units cannot be replayed: texts are not kept" in out
    assert "all/schema (more) never passes: 100% of its pairs lack an arm" in out
