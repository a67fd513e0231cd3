"""From a log to facts and a verdict with arms behind servers, faults included."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine as Store

from monitor.blame import NO_DEPLOYED
from monitor.model import Decision, Population
from monitor.plan import Plan
from services.bootstrap import shadow_worker
from services.errors import UsageError
from services.planfile import parse_plan
from services.store import queries
from services.store import tables as t
from services.store.spending import Spending
from tests.support.engine import Engine, Json
from tests.support.events import START, lines, request
from tests.support.faults import Cut, Hang, OtherModel, Status
from tests.support.stores import ListSource, counted, look, quarantined, rows_of, seal_all, store, take

ROOT = Path(__file__).parents[3]
SORRY, FINE = "I'm sorry, but I can't help with that request.", "Your parcel is on its way."
SIGNALS = {name: {"gates": False} for name in ("schema", "tool_call", "score")} | {"refusal": {"tolerance": 0.1}}


class Hand:
    """The store's clock, moved by hand; servers that were left alone are tried again as it goes."""

    def __init__(self) -> None:
        self.now = 10**12

    def __call__(self) -> int:
        return self.now


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shadow.backends.http.FIRST_PAUSE", 0.001)
    monkeypatch.setattr("shadow.backends.breaker.LONGEST", 0.0)


def arm(engine: Engine, **given: Any) -> Json:
    return {"backend": "openai", "url": engine.url, "model": engine.model, "timeout": "500ms"} | given


def planned(reference: Json | None, deployed: Json | None, text: str = "7d") -> Plan:
    variants: Json = {"shop-fp16": {"arm": reference}, "shop-int4": {"arm": deployed}}
    rule = {"bucket": "1m", "lateness": "1m", "reference": "shop-fp16", "variants": variants, "signals": SIGNALS}
    rule["shadow"] = {"share": 1.0, "second_share": 0.2, "horizon": "1m"}
    return parse_plan(json.dumps({"deployments": {"shop": rule}, "text": text}))


def log(count: int, **given: Any) -> list[bytes]:
    output = {"output": {"text": SORRY, "finish_reason": "stop"}}
    return lines(*(request(f"r{n}", START + n, **output | given) for n in range(count)))


def replayed(folder: Path, plan: Plan, records: list[bytes], batches: int = 60) -> Store:
    """The store after everything was taken and the shadow worker did what it could."""
    found = store(folder)
    take(found, plan, ListSource(records))
    clock = Hand()
    worker = shadow_worker(found, plan, clock, folder, "test")
    for _ in range(batches):
        worker.run_once()
        clock.now += 1_000
    return found


def refusing(_: Json) -> str:
    return SORRY


def helping(_: Json) -> str:
    return FINE


def pairs(engine: Store, signal: str = "refusal") -> dict[str, int]:
    return dict(counted(engine, signal, population=Population.PAIR))


def missing(engine: Store) -> dict[str, dict[str, int]]:
    with engine.connect() as connection:
        found: dict[str, dict[str, int]] = queries.coverage(connection, "shop", "shop-int4")["missing"]
    return found


def test_a_build_that_refuses_fails_and_quantization_is_to_blame(tmp_path: Path) -> None:
    with Engine(refusing, model="int4") as deployed, Engine(helping, model="full") as reference:
        plan = planned(arm(reference), arm(deployed))
        engine = replayed(tmp_path, plan, log(40))
        verdict = look(engine, plan, "shop-int4")
    assert verdict.decision is Decision.FAIL
    (check,) = [check for check in verdict.checks if check.decision is Decision.FAIL]
    assert check.pairs == 40
    assert check.blame is not None
    assert check.blame.cause == "quantization"
    assert check.blame.noise_floor == 0.0


def test_with_only_a_reference_the_cause_is_undetermined_for_want_of_a_deployed_replay(tmp_path: Path) -> None:
    with Engine(helping, model="full") as reference:
        plan = planned(arm(reference), None)
        engine = replayed(tmp_path, plan, log(40))
        verdict = look(engine, plan, "shop-int4")
    assert verdict.decision is Decision.FAIL, "what users got is compared all the same"
    (check,) = [check for check in verdict.checks if check.decision is Decision.FAIL]
    assert check.blame is not None
    assert check.blame.cause == "undetermined"
    assert check.blame.missing[0] == NO_DEPLOYED
    assert check.blame.contributions[0].interval.estimate is None
    (finding,) = [finding for finding in verdict.findings if finding.kind == "fail"]
    assert "cause: undetermined: no deployed replay" in finding.sentence
    assert missing(engine)["deployed"] == {"not_observed": 40}


def test_a_build_quantized_anew_does_not_stand_for_the_served_one_unless_the_plan_says_so(tmp_path: Path) -> None:
    with Engine(helping, model="full") as reference:
        plan = planned(arm(reference), {"backend": "transformers", "model": "nowhere", "quantization": "int8"})
        engine = replayed(tmp_path, plan, log(20))
        seal_all(engine, plan)
    assert missing(engine)["deployed"] == {"not_observed": 20}
    assert pairs(engine)["y?n?"] > 0


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (Status(500), "engine_status_500"),
        (Cut(), "engine_cut"),
        (OtherModel("int8"), "engine_other_model"),
        (Hang(5), "engine_timeout"),
    ],
    ids=repr,
)
def test_what_a_server_never_answers_is_quarantined_by_reason_and_its_pair_counts_as_missing(
    tmp_path: Path, fault: Any, reason: str, quantwatch: Callable[..., Any]
) -> None:
    def bad(body: Json) -> Any:
        return fault if body["messages"][-1]["content"].endswith("r3") else None

    with Engine(refusing, model="int4") as deployed, Engine(helping, model="full") as reference:
        plan = planned(arm(reference), arm(deployed, timeout="150ms"))
        deployed.faults = bad
        engine = replayed(tmp_path, plan, log(8), batches=12)
        seal_all(engine, plan)
    assert [(source, why, detail) for source, _, why, detail in quarantined(engine)] == [
        ("shadow", "replay_failed", reason)
    ]
    assert missing(engine)["deployed"] == {"not_replayable": 1}
    assert "reference" not in missing(engine), "the other arm has answered"
    assert sum(n for cell, n in pairs(engine).items() if cell[0] == "y" and cell[2] == "n") == 8
    listed = quantwatch("quarantine", "list", "--db", f"sqlite:///{tmp_path / 'store.db'}")
    assert reason in listed.out
    assert rows_of(engine, t.queue) == []


def test_a_server_that_is_never_up_leaves_its_arm_missing_and_the_verdict_on_hold(tmp_path: Path) -> None:
    with Engine(refusing, model="int4") as deployed, Engine(helping, model="full") as reference:
        plan = planned(arm(reference), arm(deployed))
        reference.stop()
        engine = replayed(tmp_path, plan, log(40), batches=20)
        verdict = look(engine, plan, "shop-int4")
    assert verdict.decision is Decision.HOLD
    lost = missing(engine)["reference"]
    assert sum(lost.values()) == 40
    assert lost.keys() <= {"timed_out", "not_replayable"}


def test_when_the_day_is_spent_replays_wait_then_time_out_and_are_given_up(tmp_path: Path) -> None:
    with Engine(refusing, model="int4") as deployed, Engine(helping, model="full") as reference:
        plan = planned(arm(reference, tokens_per_day=1_500), arm(deployed))
        engine = replayed(tmp_path, plan, log(100), batches=12)
        assert len(rows_of(engine, t.queue)) > 0
        assert quarantined(engine) == []
        name = f"full@{reference.url.split('/')[2]}"
        assert 500 < Spending(engine, lambda: 10**12).spent(name)[0] <= 1_500
        seal_all(engine, plan)
        asked = len(reference.requests)
        worker = shadow_worker(engine, plan, lambda: 2 * 10**12, tmp_path, "test")
        while worker.run_once():
            pass
        assert len(reference.requests) == asked + 1, "of the next day's tokens, none go to pairs that are sealed"
    assert missing(engine)["reference"]["timed_out"] > 0
    assert rows_of(engine, t.queue) == []


def test_a_log_with_texts_that_were_not_kept_asks_no_server(tmp_path: Path) -> None:
    with Engine(helping, model="full") as reference:
        engine = replayed(tmp_path, planned(arm(reference), None, text="none"), log(5))
        assert len(reference.requests) == 1
        assert rows_of(engine, t.queue) == []


def test_a_server_that_the_plan_does_not_fit_stops_with_the_variant_s_name(tmp_path: Path) -> None:
    with Engine(helping, model="full", token="right") as reference:
        plan = planned(arm(reference, token_env="QUANTWATCH_TEST_UNSET"), None)
        with pytest.raises(UsageError) as caught:
            shadow_worker(store(tmp_path), plan, Hand(), tmp_path, "test")
    assert str(caught.value) == (
        "the arm of shop-fp16 cannot be opened: the engine's token is not set: QUANTWATCH_TEST_UNSET"
    )


def test_the_command_says_it_in_one_line_and_exits_with_3(tmp_path: Path, quantwatch: Callable[..., Any]) -> None:
    with Engine(helping, model="other") as reference:
        rule = {"variants": {"a": {"arm": arm(reference, model="full")}}, "reference": "a"}
        (tmp_path / "plan.yaml").write_text(json.dumps({"deployments": {"shop": rule}}))
        ran = quantwatch("shadow", "--plan", "plan.yaml", "--db", "sqlite:///x.db")
    assert ran.refusal == ("the arm of a cannot be opened: the engine has no model 'full'; it serves: other")


def test_a_worker_whose_arms_are_servers_or_recorded_loads_no_torch(tmp_path: Path) -> None:
    with Engine(helping, model="full") as reference:
        plan = planned(arm(reference), {"backend": "recorded", "model": "int4.jsonl"})
        recorded = [{"id": f"r{n}", "output": {"text": SORRY}} for n in range(4)]
        (tmp_path / "int4.jsonl").write_text("\n".join(map(json.dumps, recorded)))
        engine = store(tmp_path)
        take(engine, plan, ListSource(log(4)))
        (tmp_path / "plan.json").write_bytes(msgspec.json.encode(plan))
        code = (
            "import sys\n"
            "sys.modules.update(dict.fromkeys(('torch', 'transformers', 'safetensors', 'tokenizers')))\n"
            "from pathlib import Path\n"
            "from services.bootstrap import shadow_worker\n"
            "from services.planfile import read_plan\n"
            "from services.store.engine import open_engine\n"
            f"folder = Path({str(tmp_path)!r})\n"
            "engine = open_engine(f'sqlite:///{folder / \"store.db\"}')\n"
            "worker = shadow_worker(engine, read_plan(str(folder / 'plan.json')), lambda: 10**12, folder, 'test')\n"
            "print(worker.run_once(), worker.run_once())\n"
        )
        done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["4", "0"], done.stderr
    seal_all(engine, plan)
    assert sum(n for cell, n in pairs(engine).items() if cell[:3] == "yyn") == 4


def test_the_reference_may_be_asked_with_what_the_log_asked(tmp_path: Path) -> None:
    asked: Json = {
        "sampling": {"temperature": 0, "top_p": 0.9, "seed": 3, "max_tokens": 40, "stop": ["###"]},
        "response_format": {"type": "json_schema", "json_schema": {"name": "o", "schema": {"type": "object"}}},
    }
    with Engine(helping, model="full") as reference:
        engine = replayed(tmp_path, planned(arm(reference), None), log(1, **asked))
        sent = reference.requests[-1]
    assert {key: sent[key] for key in ("temperature", "top_p", "seed", "max_tokens", "stop", "response_format")} == {
        **asked["sampling"],
        "response_format": asked["response_format"],
    }
    with engine.connect() as connection:
        assert connection.scalar(sa.select(sa.func.count()).select_from(t.pair)) == 1
