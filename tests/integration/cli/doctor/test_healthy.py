"""`quantwatch doctor` on what is well: it exits 0, has found a planted fault, and leaves nothing behind."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from services.store.engine import open_engine, upgrade
from tests.support.shop import Shop, log, right, worse


def test_a_healthy_set_up_exits_0_and_has_found_a_planted_fault(healthy: Shop) -> None:
    code, checks = healthy.doctor()
    assert [each for each in checks if each["state"] in ("fail", "warn")] == []
    assert code == 0
    said = {each["check"]: each["reason"] for each in checks}
    assert "answered 0 of 20 prompts differently the second time (noise floor 0 %)" in said["noise"]
    assert "no alarm in" in said["itself"]
    assert "every twentieth answer cut fails the build after" in said["cut answers"]
    assert "by schema on all" in said["cut answers"]
    assert "differ on" in said["two builds"]
    assert "gives the logged answer to 20 of 20 prompts" in said["as served"]


def test_nothing_is_left_behind(healthy: Shop) -> None:
    engine = open_engine(healthy.db)
    upgrade(engine)
    engine.dispose()
    own = healthy.folder / "own.db"
    before = own.read_bytes(), sorted(path.name for path in healthy.folder.iterdir())
    healthy.doctor()
    healthy.plan_file.unlink()
    after = own.read_bytes(), sorted(path.name for path in healthy.folder.iterdir())
    assert after == before


def test_people_read_a_line_a_check(healthy: Shop, quantwatch: Callable[..., Any]) -> None:
    healthy.plan_file.write_text(json.dumps(healthy.plan))
    ran = quantwatch("doctor", "--plan", healthy.plan_file, "--db", "sqlite:////nowhere/at/all.db")
    lines = ran.out.splitlines()
    assert ran.code == 3
    assert lines[0].startswith("ok    install: quantwatch ")
    assert any(line.startswith("fail  database: ") and "; mend: " in line for line in lines)
    assert any(line.startswith("skip  log: no --log given") for line in lines)
    assert lines[-1].endswith("1 failed; mend: database")


def test_recorded_answers_go_the_same_way(shop: Shop) -> None:
    for variant, answer in (("shop-fp16", right), ("shop-int4", worse)):
        lines = [{"id": e["id"], "output": {"text": answer(e), "finish_reason": "stop"}} for e in log()]
        (shop.folder / f"{variant}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
        shop.rule["variants"][variant]["arm"] = {"backend": "recorded", "model": f"{variant}.jsonl"}
    code, checks = shop.doctor()
    assert code == 0
    said = {each["check"]: (each["state"], each["reason"]) for each in checks}
    assert said["tokenizer"][0] == "skip"
    assert said["cut answers"][0] == "ok"


@pytest.mark.shadow
def test_builds_in_this_process_are_compared_by_their_tokens(shop: Shop) -> None:
    """The packaged model at full precision and at four bits: the same tokenizer and template, and two builds."""
    shop.rule["variants"]["shop-fp16"]["arm"] = {"model": "quantwatch-small"}
    quantized = {"model": "quantwatch-small", "quantization": "int4-channel", "same_build": True}
    shop.rule["variants"]["shop-int4"]["arm"] = quantized
    _, checks = shop.doctor()  # a model of two million parameters makes no JSON of these prompts
    said = {each["check"]: (each["state"], each["reason"]) for each in checks}
    assert said["tokenizer"] == ("ok", "shop-fp16 and shop-int4 cut 3 probes into the same tokens")
    assert said["chat template"][0] == said["stop tokens"][0] == said["noise"][0] == said["two builds"][0] == "ok"
    assert "shop-int4 takes 512 tokens" in said["context"][1]
