"""Structure: what parses, what is valid, and which tool calls were offered, on real requests and hostile ones."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.model import Event, JsonSchemaFormat, Output, ResponseFormat, Sampling, ToolCall
from monitor.plan import SchemaRule, Where
from monitor.signals.columns import Columns
from monitor.signals.schema_cache import Compiling
from monitor.signals.structure import Structure, explain
from monitor.slices import matches

DATA = Path(__file__).parents[2] / "data"
TYPES = {"dict": "object", "float": "number", "tuple": "array"}
ENTITIES = {
    "type": "array",
    "items": {
        "type": "object",
        "properties": {"text": {"type": "string"}, "type": {"enum": ["PER", "ORG", "LOC", "MISC"]}},
        "required": ["text", "type"],
        "additionalProperties": False,
    },
}


def raw(value: Any) -> msgspec.Raw:
    return msgspec.Raw(msgspec.json.encode(value))


def event(schema: Any = None, form: str | None = None, tools: Any = None, **fields: Any) -> Event:
    wanted = None
    if schema is not None:
        schema = schema if isinstance(schema, msgspec.Raw) else raw(schema)
        wanted = ResponseFormat("json_schema", JsonSchemaFormat(schema))
    elif form is not None:
        wanted = ResponseFormat(form)
    if tools is not None:
        fields["tools"] = tools if isinstance(tools, msgspec.Raw) else raw(tools)
    return Event(id="r", deployment="d", variant="v", time=0.0, response_format=wanted, **fields)


def cells(event: Event, output: Output | str | None) -> tuple[str, ...]:
    family = Structure()
    judged = Output(text=output) if isinstance(output, str) else output
    row = family.judge(event, judged)
    return tuple(d.cells[cell] for d, cell in zip(family.definitions, row, strict=True))


def tool(name: str, parameters: Any = None) -> dict[str, Any]:
    function = {"name": name} if parameters is None else {"name": name, "parameters": parameters}
    return {"type": "function", "function": function}


def json_schema(bfcl: Any) -> Any:
    """BFCL's parameter types as JSON Schema."""
    if isinstance(bfcl, list):
        return [json_schema(value) for value in bfcl]
    if not isinstance(bfcl, dict):
        return bfcl
    mapped = {key: json_schema(value) for key, value in bfcl.items()}
    kind = mapped.get("type")
    if kind == "any":
        del mapped["type"]
    elif isinstance(kind, str):
        mapped["type"] = TYPES.get(kind, kind)
    return mapped


def accepted(value: Any, required: list[str] | None = None) -> Any:
    """One accepted value of BFCL's ground truth; a dict holds lists of accepted values, "" meaning "left out"."""
    if isinstance(value, dict):
        given = {k: options for k, options in value.items() if "" not in options or k in (required or ())}
        return {key: accepted(next(o for o in options if o != "")) for key, options in given.items()}
    return [accepted(item) for item in value] if isinstance(value, list) else value


def right_calls(row: dict[str, Any]) -> tuple[ToolCall, ...]:
    required = {f["name"]: f["parameters"].get("required") for f in row["functions"]}
    calls = [next(iter(call.items())) for call in row["ground_truth"]]
    return tuple(ToolCall(name, json.dumps(accepted(given, required[name]))) for name, given in calls)


def requests() -> list[dict[str, Any]]:
    return [json.loads(line) for line in (DATA / "bfcl/requests.jsonl").read_text().splitlines()]


def entities() -> list[dict[str, Any]]:
    return [json.loads(line) for line in (DATA / "quant_pairs/extraction.jsonl").read_text().splitlines()]


def offering(row: dict[str, Any], **fields: Any) -> Event:
    tools = [tool(f["name"], json_schema(f["parameters"])) for f in row["functions"]]
    return event(tools=tools, **fields)


# Its accepted answer names a parameter that its own tool does not have.
MISLABELLED = "live_multiple_964-207-0"
ANSWERED = [row for row in requests() if row["ground_truth"] and row["id"] != MISLABELLED]


def test_a_label_that_contradicts_its_own_tool_is_found() -> None:
    row = next(row for row in requests() if row["id"] == MISLABELLED)
    output = Output(tool_calls=right_calls(row))
    assert cells(offering(row), output)[2] == "bad"
    assert explain(offering(row), output) == ("/tool_calls/0/arguments", "required")


@pytest.mark.parametrize("row", ANSWERED, ids=lambda row: row["id"])
def test_the_right_calls_of_a_real_request_are_ok_and_their_mutilations_are_bad(row: dict[str, Any]) -> None:
    asked, calls = offering(row), right_calls(row)
    assert cells(asked, Output(tool_calls=calls)) == ("no_schema", "no_schema", "ok")
    renamed = (*calls[:-1], ToolCall(calls[-1].name + "_", calls[-1].arguments))
    cut_off = (*calls[:-1], ToolCall(calls[-1].name, calls[-1].arguments[:-1]))
    listed = (*calls[:-1], ToolCall(calls[-1].name, "[]"))
    for mutilated in (renamed, cut_off, listed):
        assert cells(asked, Output(tool_calls=mutilated))[2] == "bad"


def test_a_real_request_that_no_tool_answers_may_go_without_a_call() -> None:
    for row in requests():
        if row["ground_truth"] is None:
            assert cells(offering(row), "None of these tools helps.")[2] == "no_call"


def test_real_extractions_parse_unless_they_were_cut_off() -> None:
    asked = event(ENTITIES)
    seen = {cells(asked, arm["output"])[:2] for row in entities() for arm in row["arms"].values()}
    assert seen == {("ok", "ok"), ("bad", "bad")}
    for row in entities():
        for arm in row["arms"].values():
            assert (cells(asked, arm["output"])[0] == "bad") == (arm["output"].rstrip()[-1] != "]")


@pytest.mark.parametrize(
    ("asked", "output", "expected", "reason"),
    [
        (event(), "{}", ("no_schema", "no_schema"), "nothing was demanded"),
        (event(form="text"), "{}", ("no_schema", "no_schema"), "text was demanded"),
        (event(form="json_object"), "{}", ("ok", "no_schema"), "JSON without a schema"),
        (event(form="json_object"), "{", ("bad", "no_schema"), "broken JSON without a schema"),
        (event(form="json_object"), None, ("no_content", "no_schema"), "no output"),
        (event({"type": "array"}), "[1]", ("ok", "ok"), "valid"),
        (event({"type": "array"}), "{}", ("ok", "bad"), "parses, invalid"),
        (event({"type": "array"}), "[1", ("bad", "bad"), "what does not parse is no array either"),
        (event({"type": "array"}), "", ("bad", "bad"), "an empty answer is no JSON"),
        (event({"type": "array"}), "```json\n[]\n```", ("bad", "bad"), "a fence is no JSON"),
        (event({"type": "array"}), None, ("no_content", "no_content"), "no output"),
        (event({"type": "array"}), Output(), ("no_content", "no_content"), "text was not logged"),
        (event({"type": "array"}), Output(tool_calls=(ToolCall("f"),)), ("no_content", "no_content"), "a call"),
        (
            event({"type": "array"}),
            Output(text="", tool_calls=(ToolCall("f"),)),
            ("no_content", "no_content"),
            "a call with empty text",
        ),
        (event({"format": "date"}), '"2026-02-30"', ("ok", "bad"), "formats are checked"),
        (event({"type": "nonsense"}), "[]", ("ok", "no_schema"), "a broken schema"),
        (event(msgspec.Raw(b"{")), "[]", ("ok", "no_schema"), "a schema that is no JSON"),
        (event(msgspec.Raw(b"")), "[", ("bad", "no_schema"), "an empty schema"),
        (event({"$ref": "https://example.com/x"}), "[]", ("ok", "no_schema"), "nothing is fetched"),
        (event({"pattern": "("}), '"a"', ("ok", "no_schema"), "a pattern that is none"),
        (event(form="json_schema"), "[]", ("ok", "no_schema"), "the schema is missing"),
    ],
)
def test_json_and_schema(asked: Event, output: Any, expected: tuple[str, str], reason: str) -> None:
    assert cells(asked, output) == (*expected, "no_schema"), reason


F = tool("f", {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]})


@pytest.mark.parametrize(
    ("tools", "choice", "output", "expected", "reason"),
    [
        ([F], None, Output(tool_calls=(ToolCall("f", '{"n":1}'),)), "ok", "valid"),
        ([F], None, Output(tool_calls=(ToolCall("f", '{"n":"1"}'),)), "bad", "wrong type"),
        ([F], None, Output(tool_calls=(ToolCall("f", '{"n":1}'), ToolCall("g"))), "bad", "one was not offered"),
        ([F], None, Output(tool_calls=(ToolCall("f", ""),)), "bad", "empty arguments do not parse"),
        ([F], None, "hello", "no_call", "a call was optional"),
        ([F], "auto", "hello", "no_call", "a call was optional"),
        ([F], "none", "hello", "no_call", "a call was unwanted"),
        ([F], "required", "hello", "bad", "a call was required"),
        ([F], "f", "hello", "bad", "this call was required"),
        ([F], "required", Output(), "no_content", "the answer was not logged"),
        ([F], None, None, "no_content", "no output"),
        ([], None, "hello", "no_schema", "an empty list offers nothing"),
        (msgspec.Raw(b"null"), None, "hello", "no_schema", "null offers nothing"),
        (msgspec.Raw(b"["), None, "hello", "no_schema", "a broken list offers nothing"),
        ([5, {"type": "web_search"}, {"function": {}}], None, "hello", "no_schema", "no function among them"),
        ([tool("f")], None, Output(tool_calls=(ToolCall("f", "{}"),)), "ok", "no parameters: any object"),
        ([tool("f")], None, Output(tool_calls=(ToolCall("f", "1"),)), "bad", "arguments are an object"),
        ([tool("f", {"type": 5})], None, Output(tool_calls=(ToolCall("f"),)), "no_schema", "broken schema"),
        ([tool("f", {"type": 5})], None, Output(tool_calls=(ToolCall("f", "{"),)), "bad", "broken, unparsed"),
        (
            [F, tool("g", {"type": 5})],
            None,
            Output(tool_calls=(ToolCall("g"), ToolCall("f"))),
            "bad",
            "one bad call outweighs one that cannot be judged",
        ),
    ],
)
def test_tool_calls(tools: Any, choice: str | None, output: Any, expected: str, reason: str) -> None:
    asked = event(tools=tools, sampling=Sampling(tool_choice=choice))
    assert cells(asked, output)[2] == expected, reason


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[" * 100_000 + "]" * 100_000, "bad"),
        ("[" * 1_000 + "]" * 1_000, "ok"),
        ("NaN", "bad"),
        ("-Infinity", "bad"),
        ("1e999", "bad"),
        ("1" * 300, "ok"),
        ("1" * 5_000, "bad"),
        ('"\\ud800"', "bad"),
        ('"\ud800"', "bad"),
        ('"\\u0000"', "ok"),
        ('"\0"', "bad"),
        ("\ufeff{}", "bad"),
    ],
    ids=lambda value: ascii(value[:12]),
)
def test_hostile_json_is_judged_and_never_raises(text: str, expected: str) -> None:
    asked = event({"items": {"$ref": "#"}}, tools=[tool("f")])
    assert cells(asked, text)[:2] == (expected, expected)
    assert cells(asked, Output(tool_calls=(ToolCall("f", text),)))[2] == "bad"
    explain(asked, Output(text=text, tool_calls=(ToolCall("f", text),)))


def test_schemas_nested_beyond_what_compiles_are_no_schema() -> None:
    deep = msgspec.Raw(b'{"not":' * 900 + b"true" + b"}" * 900)
    assert cells(event(deep), "[]")[1] == "no_schema"
    tools = msgspec.Raw(b'[{"function":{"name":"f","parameters":' + bytes(deep) + b"}}]")
    output = Output(tool_calls=(ToolCall("f"),))
    assert cells(event(tools=tools), output)[2] == "no_schema"
    assert explain(event(tools=tools), output) is None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
RAW = st.one_of(
    JSON.map(lambda value: msgspec.Raw(json.dumps(value).encode())),
    st.sampled_from([raw([F]), raw(ENTITIES), raw({"type": "object"})]),
    st.binary(max_size=9).map(msgspec.Raw),
)
OUTPUTS = st.none() | st.builds(
    Output,
    text=st.none() | st.text(max_size=9) | JSON.map(json.dumps),
    tool_calls=st.lists(
        st.builds(ToolCall, st.sampled_from("fg"), st.text(max_size=5) | JSON.map(json.dumps)), max_size=2
    ).map(tuple),
)
FORMATS = st.none() | st.builds(
    ResponseFormat,
    st.sampled_from(["text", "json_object", "json_schema"]),
    st.none() | st.builds(JsonSchemaFormat, RAW),
)
EVENTS = st.builds(
    Event,
    id=st.just("r"),
    deployment=st.just("d"),
    variant=st.just("v"),
    time=st.just(0.0),
    tools=RAW,
    response_format=FORMATS,
    sampling=st.none() | st.builds(Sampling, tool_choice=st.sampled_from([None, "auto", "required", "f"])),
    output=OUTPUTS,
)


@settings(max_examples=60, deadline=None)
@given(st.lists(EVENTS, max_size=6), st.integers(0, 6))
def test_batches_equal_single_events_however_they_are_split(events: list[Event], cut: int) -> None:
    family = Structure()
    rows = np.array([Structure().judge(e, e.output) for e in events], dtype=np.int16).reshape(-1, 3)
    assert np.array_equal(family.judge_all(Columns(events)), rows)
    halves = [family.judge_all(Columns(events[:cut])), family.judge_all(Columns(events[cut:]))]
    assert np.array_equal(np.concatenate(halves), rows)


@settings(max_examples=60, deadline=None)
@given(EVENTS.filter(lambda e: e.output is not None))
def test_an_explanation_is_given_exactly_for_what_is_bad(asked: Event) -> None:
    assert asked.output is not None
    bad = "bad" in cells(asked, asked.output)
    assert (explain(asked, asked.output) is not None) == bad


@pytest.mark.parametrize(
    ("asked", "output", "expected"),
    [
        (event(ENTITIES), Output(text='[{"text":"EU","type":"NORP"}]'), ("/0/type", "enum")),
        (event(ENTITIES), Output(text='[{"text":"EU"}]'), ("/0", "required")),
        (event(ENTITIES), Output(text="[{"), ("", "parse")),
        (event({"properties": {"a/b~": {"type": "null"}}}), Output(text='{"a/b~":1}'), ("/a~1b~0", "type")),
        (event(tools=[F]), Output(tool_calls=(ToolCall("g"),)), ("/tool_calls/0/name", "unknown_tool")),
        (
            event(tools=[F]),
            Output(tool_calls=(ToolCall("f", '{"n":1}'), ToolCall("f", '{"n":true}'))),
            ("/tool_calls/1/arguments/n", "type"),
        ),
        (
            event(tools=[F], sampling=Sampling(tool_choice="required")),
            Output(text="hello"),
            ("/tool_calls", "required"),
        ),
        (event(ENTITIES), Output(text="[]"), None),
    ],
)
def test_an_explanation_names_place_and_rule(asked: Event, output: Output, expected: Any) -> None:
    assert explain(asked, output) == expected


def test_the_cache_stays_bounded_and_forgets_nothing_that_is_in_use() -> None:
    built: list[bytes] = []

    def build(key: bytes) -> bytes:
        built.append(key)
        return key

    cache = Compiling(build, limit=8)
    for k in range(100):
        assert cache.get(b"hot") == b"hot"
        assert cache.get(msgspec.Raw(b"%d" % k)) == b"%d" % k
        assert len(cache) <= 8
    assert built.count(b"hot") == 1


def test_many_schemas_beyond_the_cache_are_judged_alike() -> None:
    family = Structure()
    events = [event({"const": k}, output=Output(text=f"{k}")) for k in range(1_500)] * 2
    assert set(map(tuple, family.judge_all(Columns(events)).tolist())) == {(0, 0, 3)}


ORDER = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
ROUTES = (
    SchemaRule("order", ORDER, Where(tags={"route": "order"})),
    SchemaRule("late", {"type": "array"}, Where(tags={"route": ["order", "list"]})),  # type: ignore[dict-item]
)


@pytest.mark.parametrize(
    ("text", "fields", "expected"),
    [
        ('{"city": "Oslo"}', {"tags": {"route": "order"}}, ("ok", "ok", "no_schema")),
        ('{"town": "Oslo"}', {"tags": {"route": "order"}}, ("ok", "bad", "no_schema")),
        ("Oslo", {"tags": {"route": "order"}}, ("bad", "bad", "no_schema")),
        ("[]", {"tags": {"route": "list"}}, ("ok", "ok", "no_schema")),
        ("Oslo", {"tags": {"route": "chat"}}, ("no_schema", "no_schema", "no_schema")),
        ("Oslo", {}, ("no_schema", "no_schema", "no_schema")),
        ("[]", {"tags": {"route": "order"}, "schema": {"type": "array"}}, ("ok", "ok", "no_schema")),
        ("Oslo", {"tags": {"route": "order"}, "tools": [tool("f")]}, ("no_schema", "no_schema", "no_call")),
    ],
)
def test_a_route_s_schema_holds_where_none_is_demanded(text: str, fields: Any, expected: tuple[str, ...]) -> None:
    family = Structure(ROUTES, matches)
    asked = event(fields.pop("schema", None), output=Output(text=text), **fields)
    rows = [family.judge(asked, asked.output), tuple(family.judge_all(Columns([asked]))[0])]
    assert [tuple(d.cells[c] for d, c in zip(family.definitions, row, strict=True)) for row in rows] == [expected] * 2


def test_another_route_schema_begins_another_series() -> None:
    digests = [tuple(d.digest for d in Structure(rules, matches).definitions) for rules in ((), ROUTES, ROUTES[:1])]
    assert len(set(digests)) == 3
