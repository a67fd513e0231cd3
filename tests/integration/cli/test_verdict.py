"""`quantwatch verdict`: its exit code is the answer, for now and for any time before."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.support.events import START, Json, line, request

PLAN: Json = {
    "deployments": {
        "shop": {
            "bucket": "1m",
            "lateness": "1m",
            "reference": "shop-fp16",
            "variants": {"shop-fp16": {}, "shop-int4": {}},
            "signals": {s: {"gates": False} for s in ("schema", "tool_call", "score")}
            | {"refusal": {"tolerance": 0.1}},
            "shadow": {"share": 0.5, "horizon": "1m"},
        }
    }
}
SORRY, FINE = "I'm sorry, but I can't help with that request.", "Your parcel is on its way."


def served(count: int, start: float = START, **outputs: str) -> list[Json]:
    """Requests that came with what the reference answered."""
    given = {key: {"text": text} for key, text in outputs.items()}
    return [request(f"r{start}-{n}", start + 2 * n, **given) for n in range(count)]


@pytest.fixture
def world(folder: Path, quantwatch):  # type: ignore[no-untyped-def]
    (folder / "plan.yaml").write_text(json.dumps(PLAN))

    def ask(*words: str, records: list[Json] | None = None):  # type: ignore[no-untyped-def]
        if records:
            (folder / "log.jsonl").write_bytes(b"\n".join(map(line, records)))
            quantwatch("ingest", "log.jsonl", "--plan", "plan.yaml", "--db", "sqlite:///x.db")
        return quantwatch("verdict", "shop-int4", *words, "--plan", "plan.yaml", "--db", "sqlite:///x.db")

    return ask


def test_pass_is_0(world) -> None:  # type: ignore[no-untyped-def]
    ran = world("--as-of", "end", records=served(600, output=FINE, reference=FINE))
    assert (ran.code, ran.out.split()[0]) == (0, "PASS")


def test_fail_is_1_and_stays_1_while_the_facts_before_it_did_not_fail(world) -> None:  # type: ignore[no-untyped-def]
    turn = START + 1200
    records = served(600, output=FINE, reference=FINE) + served(300, turn, output=SORRY, reference=FINE)
    assert world("--as-of", "end", records=records).code == 1
    before = datetime.fromtimestamp(turn, UTC).isoformat()
    ran = world("--as-of", before, "--json")
    assert ran.code == 0, "what failed later was no failure then"
    assert ran.json[0]["as_of"] <= turn
    assert world("--as-of", "end").code == 1


def test_hold_is_2(world) -> None:  # type: ignore[no-untyped-def]
    assert world().code == 2
    ran = world("--as-of", "end", "--json", records=served(40, output=FINE, reference=FINE))
    assert ran.code == 2
    assert "more pairs" in ran.json[0]["reason"]


def test_evidence_from_long_ago_is_no_pass_now(world) -> None:  # type: ignore[no-untyped-def]
    assert world("--as-of", "end", records=served(600, output=FINE, reference=FINE)).code == 0
    ran = world("--json")
    assert (ran.code, ran.json[0]["stale"]) == (2, True)


def test_an_unknown_variant_is_3(world, quantwatch) -> None:  # type: ignore[no-untyped-def]
    world(records=served(1, output=FINE, reference=FINE))
    ran = quantwatch("verdict", "nobody", "--plan", "plan.yaml", "--db", "sqlite:///x.db")
    assert ran.code == 3


def test_the_json_has_every_key_whatever_the_decision(world) -> None:  # type: ignore[no-untyped-def]
    empty = world("--json").json[0]
    whole = world("--as-of", "end", "--json", records=served(600, output=FINE, reference=FINE)).json[0]
    assert empty.keys() == whole.keys()
    assert empty["coverage"].keys() == whole["coverage"].keys()
