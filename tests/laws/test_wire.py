"""Law 5: what was encoded decodes to the same; whatever else the bytes are, they are a record or a refusal."""

from __future__ import annotations

import json
import random
from pathlib import Path

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from monitor.errors import Reject
from monitor.model import Event, Feedback, Record, ScoreReport
from monitor.state import State
from monitor.step import step
from monitor.wire import decode, encode
from tests.laws.records import events, scores, thumbs
from tests.laws.test_boundaries import run_of
from tests.support.events import START, plan, request

GOLDEN = Path(__file__).parent.parent / "golden"
WIRE = {"event": Event, "score": ScoreReport, "feedback": Feedback}
REASONS = {"oversized", "not_utf8", "not_json", "too_deep", "nul", "unknown_kind", "schema_version", "wrong_type"}


@settings(max_examples=40, deadline=None)
@given(st.one_of(events, scores, thumbs))
def test_decoding_is_the_inverse_of_encoding(record: Record) -> None:
    assert decode(encode(record)) == record


def test_an_event_without_tools_encodes_and_comes_back() -> None:
    event = Event(id="r", deployment="d", variant="v", time=1.0)
    assert decode(encode(event)) == event
    assert b"tools" not in encode(event)


@pytest.mark.parametrize("kind", WIRE)
def test_a_golden_record_still_decodes_and_encodes_to_the_same(kind: str) -> None:
    golden = (GOLDEN / f"{kind}.json").read_bytes().strip()
    record = decode(golden)
    assert type(record) is WIRE[kind]
    assert json.loads(encode(record)) == json.loads(golden)


def test_every_wire_type_has_a_golden_file_that_uses_every_field() -> None:
    assert {f.__name__ for f in WIRE.values()} == {t.__name__ for t in Record.__args__}
    for kind, shape in WIRE.items():
        given = json.loads((GOLDEN / f"{kind}.json").read_bytes())
        optional = {"kind", "schema_version"}  # written only where they differ from the default
        assert set(given) >= {field.encode_name for field in msgspec.structs.fields(shape)} - optional


@pytest.mark.parametrize("kind", WIRE)
def test_unknown_keys_of_a_newer_producer_are_ignored(kind: str) -> None:
    golden = json.loads((GOLDEN / f"{kind}.json").read_bytes())
    assert decode(json.dumps(golden | {"zebra": {"stripes": [1, 2]}}).encode()) == decode(json.dumps(golden).encode())


@pytest.mark.parametrize("kind", WIRE)
def test_no_wire_type_takes_a_number_for_a_string_or_a_string_for_a_number(kind: str) -> None:
    golden = json.loads((GOLDEN / f"{kind}.json").read_bytes())
    for key, wrong in {"id": 7, "deployment": None, "time": "1700000000"}.items():
        with pytest.raises(Reject) as refused:
            decode(json.dumps(golden | {key: wrong}).encode())
        assert refused.value.reason == "wrong_type"


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=80))
@example(b'{"id":"r","deployment":"d","variant":"v","time":1,"x":' + b"[" * 800 + b'"\\u0000"' + b"]" * 800 + b"}")
def test_any_bytes_are_a_record_or_a_refusal(raw: bytes) -> None:
    assert decoded(raw) in REASONS | {"Event", "ScoreReport", "Feedback"}


def decoded(raw: bytes) -> str:
    """The type of the record, or why it is none."""
    try:
        return type(decode(raw)).__name__
    except Reject as refused:
        return refused.reason


NASTY: tuple[object, ...] = (
    None, True, -1, 0, 1.5, 10**30, "", "x", "é" * 300, "\u200b", [], [None], ["x"], {}, {"": None}, {"type": "object"},
    {"type": 7}, {"$ref": "#/nowhere"}, [{"type": "function", "function": {"name": 5}}], [{"role": "user"}],
    {"text": ""}, {"text": "[" * 2000}, {"tool_calls": [{"name": ""}]}, {"type": "json_schema"},
    {"type": "json_schema", "json_schema": {"schema": {"$ref": "http://localhost:1/x"}}},
    {"type": "json_schema", "json_schema": {"schema": {"pattern": "((((a+)+)+)+"}}},
    {"kind": "json", "value": float("1e308")}, {"kind": "tool_call", "value": "x"}, {"first_token": 0, "total": 0},
    {"running": 2_147_483_647}, "9999-12-31T23:59:59Z", "0001-01-01T00:00:00+14:00",
)  # fmt: skip
FIELDS = sorted({field.encode_name for field in msgspec.structs.fields(Event)} - {"deployment", "variant"})


@pytest.mark.parametrize("seed", range(3))
def test_no_request_however_strange_stops_the_step(seed: int) -> None:
    draw = random.Random(seed)
    records = []
    for n in range(300):
        strange = {draw.choice(FIELDS): draw.choice(NASTY) for _ in range(draw.choice((1, 1, 1, 4)))}
        records.append(json.dumps(request(f"r{n}", START) | {"conversation": f"c{n % 9}"} | strange).encode())
    batch = step(State(PLAN), run_of(records, 0, len(records)))
    assert batch.accepted > 20
    assert batch.accepted + batch.duplicates + len(batch.quarantine) == len(records)


PLAN = plan()


@pytest.mark.parametrize("depth", [100, 900, 1100, 20_000])
@pytest.mark.parametrize("key", ["tools", "tags", "response_format", "expected", "unknown"])
def test_no_depth_of_nesting_stops_the_step(depth: int, key: str) -> None:
    deep = "[" * depth + "]" * depth
    value = {
        "response_format": f'{{"type":"json_schema","json_schema":{{"schema":{deep}}}}}',
        "expected": f'{{"kind":"json","value":{deep}}}',
    }.get(key, deep)
    bare = json.dumps(request("r", START, output={"text": deep}))
    raw = f'{bare[:-1]},"{key}":{value}}}'.encode()
    batch = step(State(PLAN), run_of([raw], 0, 1))
    assert batch.accepted + len(batch.quarantine) == 1
