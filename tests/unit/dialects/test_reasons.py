"""What is no answered chat completion, or says too little, is refused with a reason that says what to mend."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor import wire
from monitor.dialects.reader import Reader
from monitor.errors import Reject
from monitor.model import Event
from services.planfile import parse_plan
from tests.support.events import GARBAGE, START, Json, line, request
from tests.support.openai_pairs import written_by

CHAT = written_by("llamacpp")["python server"]
CHUNK: Json = {
    "id": "chatcmpl-1",
    "object": "chat.completion.chunk",
    "created": 1795512600,
    "model": "m",
    "choices": [{"index": 0, "delta": {"content": "In"}, "finish_reason": None}],
}
LAST: Json = {**CHUNK, "choices": [], "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}}
EMBEDDING: Json = {
    "request": {"model": "e5", "input": "parcel"},
    "response": {
        "object": "list",
        "model": "e5",
        "data": [{"object": "embedding", "index": 0, "embedding": [0.1]}],
        "usage": {"prompt_tokens": 1, "total_tokens": 1},
    },
}
COMPLETION: Json = {
    "request": {"model": "m", "prompt": "Oslo is"},
    "response": {
        "id": "cmpl-1",
        "object": "text_completion",
        "created": 1795512600,
        "model": "m",
        "choices": [{"index": 0, "text": " cold", "logprobs": None, "finish_reason": "stop"}],
    },
}


def chat(**response: Any) -> Json:
    return {**CHAT, "response": {**CHAT["response"], **response}}


def answered(response: Any) -> Json:
    return {**CHAT, "response": response}


def asked(**request: Any) -> Json:
    return {**CHAT, "request": {**CHAT["request"], **request}}


def message(**said: Any) -> Json:
    return chat(choices=[{"index": 0, "message": {"role": "assistant", **said}}])


REASONS: list[tuple[str, Json, str]] = [
    ("an embedding", EMBEDDING, "not_chat"),
    ("an embedding whose answer was not logged", {"request": EMBEDDING["request"], "response": {}}, "not_chat"),
    ("a completion", COMPLETION, "not_chat"),
    ("the responses API", {"request": {"input": "x"}, "response": {"object": "response", "output": []}}, "not_chat"),
    ("any other call", {"request": {"path": "/health"}, "response": {"status": 200}}, "not_chat"),
    ("one chunk", answered(CHUNK), "stream_chunk"),
    ("the last chunk", answered(LAST), "stream_chunk"),
    ("a chunk that does not say so", answered({**CHUNK, "object": None}), "stream_chunk"),
    ("a list of chunks", answered([CHUNK, LAST]), "stream_chunk"),
    ("the stream as it came", answered(f"data: {json.dumps(CHUNK)}\n\ndata: [DONE]\n\n"), "stream_chunk"),
    ("an error", answered({"error": {"message": "too long", "type": "BadRequestError", "code": 400}}), "no_answer"),
    ("an error of an older vLLM", answered({"object": "error", "message": "x", "code": 400}), "no_answer"),
    ("no response", answered(None), "no_answer"),
    ("a response that is no object", answered("Internal Server Error"), "no_answer"),
    ("no choice", chat(choices=[]), "no_answer"),
    ("an answer without its request", {"response": CHAT["response"]}, "no_request"),
    ("no time", chat(created=None), "no_time"),
    ("a time of none", chat(created=0), "no_time"),
    ("no model", {**chat(model=""), "request": {"messages": []}}, "no_variant"),
    ("messages that are no list", asked(messages="hello"), "wrong_type"),
    ("a message that is none", asked(messages=["hello"]), "wrong_type"),
    ("a role that nobody knows", asked(messages=[{"role": "critic", "content": "x"}]), "wrong_type"),
    ("a temperature in words", asked(temperature="hot"), "wrong_type"),
    ("tool calls that are none", message(tool_calls={"a": 1}), "wrong_type"),
    ("a tool call of no function", message(tool_calls=[{"type": "custom", "custom": {"name": "x"}}]), "wrong_type"),
    ("an answer in sounds", message(content=[{"type": "audio", "audio": {}}]), "wrong_type"),
    ("counts below nothing", chat(usage={"prompt_tokens": -1}), "wrong_type"),
    ("a name that is too long", chat(model="m" * 300), "wrong_type"),
    ("a NUL", message(content="a\0b"), "nul"),
    ("neither native nor a pair", {"input": "hello", "output": "yes"}, "wrong_type"),
    ("a score of the wrong type", {**CHAT, "kind": "score"}, "wrong_type"),
]  # fmt: skip


def found(given: Json, mapping: Json | None = None) -> Any:
    plan = parse_plan(json.dumps({"input": {"mapping": mapping or {}}}))
    (record,) = Reader(plan.input.mapping, plan.home).decode_all([line(given)], "file:/log.jsonl")
    return record


@pytest.mark.parametrize(("why", "given", "reason"), REASONS, ids=[why for why, _, _ in REASONS])
def test_a_pair_that_cannot_be_taken_says_why(why: str, given: Json, reason: str) -> None:
    refused = found(given)

    assert isinstance(refused, Reject), why
    assert refused.reason == reason


def test_streamed_chunks_that_were_joined_are_taken() -> None:
    joined = {**CHUNK, "choices": [{"index": 0, "message": {"role": "assistant", "content": "In Oslo"}}]}

    for response in (joined, {**joined, "object": "chat.completion"}):
        event = found(answered(response))
        assert isinstance(event, Event)
        assert event.output is not None
        assert event.output.text == "In Oslo"


def test_of_several_choices_the_first_is_the_answer() -> None:
    choices = [{"index": i, "message": {"content": text}} for i, text in enumerate(("first", "second"))]

    assert found(chat(choices=choices)).output.text == "first"


@pytest.mark.parametrize(
    ("mapping", "reason", "detail"),
    [
        ({"request": "$.inputt"}, "no_request", "nothing at `$.inputt`"),
        ({"response": ["$.outputt", "$.answer"]}, "no_answer", "nothing at `$.outputt`, `$.answer`"),
        ({"time": "$.meta.ts"}, "no_time", "nothing at `$.meta.ts`"),
        ({"time": "request.model"}, "no_time", "what stands at `request.model` cannot be read"),
        ({"variant": ["headers.x-build", "$.build"]}, "no_variant", "nothing at `headers.x-build`, `$.build`"),
        ({"deployment": "$.shop"}, "no_deployment", "nothing at `$.shop`"),
    ],
)
def test_a_mapping_that_points_nowhere_is_named(mapping: Json, reason: str, detail: str) -> None:
    refused = found(CHAT, mapping)

    assert isinstance(refused, Reject)
    assert (refused.reason, refused.detail) == (reason, detail)


def test_what_is_no_record_at_all_is_refused_as_before() -> None:
    before = wire.decode_all(GARBAGE)
    after = Reader().decode_all(GARBAGE, "file:/log.jsonl")

    assert [(r.reason, r.detail) for r in after if isinstance(r, Reject)] == [
        (r.reason, r.detail) for r in before if isinstance(r, Reject)
    ]
    assert len(after) == len(GARBAGE)


def test_a_native_record_is_never_read_as_a_pair() -> None:
    raw = line({**CHAT, **request("r", START)})
    record = Reader().decode_all([raw], "inbox")[0]
    said = Reader().explain(raw, "inbox")

    assert isinstance(record, Event)
    assert record == wire.decode(raw) == said.record
    assert said.dialect == "native"


@pytest.mark.parametrize("depth", [100, 900, 1_100, 20_000])
def test_no_depth_of_nesting_stops_the_reader(depth: int) -> None:
    deep = "[" * depth + "]" * depth
    for place in ('"tools":', '"metadata":', '"response_format":{"type":"json_schema","json_schema":{"schema":'):
        closing = "}}" if place.endswith('schema":') else ""
        asked = json.dumps(CHAT["request"])[:-1] + f",{place}{deep}{closing}}}"
        raw = f'{{"request":{asked},"response":{json.dumps(CHAT["response"])}}}'.encode()
        (record,) = Reader().decode_all([raw], "inbox")
        assert isinstance(record, Event) or record.reason == "too_deep"


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**30), 10**30) | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
PATHS: list[tuple[Any, ...]] = [
    ("request",), ("response",), ("headers",), ("tags",), ("time",), ("timings",), ("load",), ("id",),
    *(("request", key) for key in ("messages", "tools", "functions", "response_format", "stop", "user", "model",
      "metadata", "tool_choice", "structured_outputs", "guided_json", "max_tokens", "session_id")),
    *(("response", key) for key in ("id", "created", "model", "choices", "usage", "timings", "metrics", "error")),
    *(("response", "choices", 0, key) for key in ("message", "logprobs", "token_ids", "finish_reason")),
    *(("response", "choices", 0, "message", key) for key in ("content", "refusal", "tool_calls", "function_call")),
    *(("request", "messages", 0, key) for key in ("role", "content", "name", "tool_calls")),
]  # fmt: skip


def standing(value: Any, path: tuple[Any, ...]) -> Any:
    """What stands at a path of a pair that was changed before; None for nothing."""
    for step in path:
        if isinstance(step, str):
            value = value.get(step) if isinstance(value, dict) else None
        else:
            value = value[step] if isinstance(value, list) and value else None
    return value


@settings(max_examples=300, deadline=None)
@given(changes=st.lists(st.tuples(st.sampled_from(PATHS), VALUES), min_size=1, max_size=3))
def test_no_pair_however_strange_stops_the_reader(changes: list[tuple[tuple[Any, ...], Any]]) -> None:
    pair: Any = json.loads(json.dumps(CHAT))
    for path, value in changes:
        holder = standing(pair, path[:-1])
        if isinstance(holder, dict):
            holder[path[-1]] = value
    raw = json.dumps(pair, allow_nan=False) if finite(pair) else "{}"
    reader = Reader()
    (record,) = reader.decode_all([raw.encode()], "inbox")
    said = reader.explain(raw.encode(), "inbox")

    assert isinstance(record, Event | Reject)
    assert said.record == record if isinstance(record, Event) else str(said.record) == str(record)


def finite(value: Any) -> bool:
    try:
        json.dumps(value, allow_nan=False)
    except ValueError:
        return False
    return True
