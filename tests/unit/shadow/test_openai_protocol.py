"""What is sent to a server for an event, and what its answers are read as."""

from __future__ import annotations

import json
from typing import Any

import pytest

from monitor.model import Message, Output, Sampling, ToolCall
from shadow.backends.backend import Request
from shadow.backends.protocol import answered, body_of, offers, same_model
from shadow.errors import EngineFault

USER = Message("user", "two lamps to Oslo")


def body(*messages: Message, **given: Any) -> dict[str, Any]:
    return body_of(Request("r", messages or (USER,), **given), "small", logprobs=False)


def test_a_plain_request_says_no_more_than_the_log_said() -> None:
    assert body() == {
        "model": "small",
        "messages": [{"role": "user", "content": "two lamps to Oslo"}],
        "temperature": 0,
        "max_tokens": 256,
    }


def test_sampling_parameters_are_those_of_the_log_at_temperature_0() -> None:
    asked = Sampling(0.0, 0.9, 7, 64, None, ("###", "\n\n"), 0.1, -0.2)
    sent = body(sampling=asked, max_tokens=64)
    wanted = {"top_p": 0.9, "seed": 7, "max_tokens": 64, "presence_penalty": 0.1, "frequency_penalty": -0.2}
    assert {key: sent[key] for key in wanted} == wanted
    assert list(sent["stop"]) == ["###", "\n\n"]
    assert sent["temperature"] == 0


def test_a_repetition_penalty_is_sent_under_both_of_its_names_and_only_if_it_was_asked_for() -> None:
    sent = body(sampling=Sampling(repetition_penalty=1.0))
    assert (sent["repetition_penalty"], sent["repeat_penalty"]) == (1.0, 1.0)
    assert not {"repetition_penalty", "repeat_penalty"} & body().keys()


@pytest.mark.parametrize(
    ("choice", "sent"),
    [
        ("auto", "auto"),
        ("required", "required"),
        ("none", "none"),
        ("track", {"type": "function", "function": {"name": "track"}}),
    ],
)
def test_tools_are_sent_with_their_choice(choice: str, sent: object) -> None:
    asked = body(tools=[{"type": "function"}], sampling=Sampling(tool_choice=choice))
    assert (asked["tools"], asked["tool_choice"]) == ([{"type": "function"}], sent)
    assert "tool_choice" not in body(sampling=Sampling(tool_choice=choice)), "servers refuse a choice among nothing"


def test_a_schema_goes_as_it_came_and_gets_a_name_where_it_has_none() -> None:
    schema = {"type": "json_schema", "json_schema": {"name": "order", "schema": {"type": "object"}, "strict": True}}
    assert body(response_format=schema)["response_format"] == schema
    nameless = {"type": "json_schema", "json_schema": {"name": None, "schema": {}}}
    assert body(response_format=nameless)["response_format"]["json_schema"]["name"] == "answer"
    assert body(response_format={"type": "json_object"})["response_format"] == {"type": "json_object"}


def test_a_schema_can_be_written_as_llama_cpp_python_takes_it() -> None:
    schema = {"type": "json_schema", "json_schema": {"name": "order", "schema": {"type": "object"}}}
    sent = body_of(Request("r", (USER,), response_format=schema), "small", logprobs=False, schema_form="json_object")
    assert sent["response_format"] == {"type": "json_object", "schema": {"type": "object"}}
    plain = Request("r", (USER,), response_format={"type": "json_object"})
    assert body_of(plain, "small", logprobs=False, schema_form="json_object")["response_format"] == {
        "type": "json_object"
    }


def test_results_of_tools_belong_to_the_calls_before_them_in_order() -> None:
    calls = Message("assistant", None, tool_calls=(ToolCall("find", '{"id": 1}'), ToolCall("find", '{"id": 2}')))
    turns = (USER, calls, Message("tool", "one"), Message("tool", "two"), Message("tool", "stray"))
    sent = body(*turns)["messages"]
    ids = [call["id"] for call in sent[1]["tool_calls"]]
    assert [turn["tool_call_id"] for turn in sent[2:4]] == ids
    assert sent[4]["tool_call_id"] not in ids
    assert sent[1]["tool_calls"][1]["function"] == {"name": "find", "arguments": '{"id": 2}'}


def reply(message: dict[str, Any], **given: Any) -> bytes:
    choice = {"index": 0, "message": message, "finish_reason": "stop"} | given
    return json.dumps({"model": "small", "choices": [choice]}).encode()


def test_an_answer_s_text_calls_and_probabilities_are_read() -> None:
    likely = {"content": [{"token": "a", "logprob": -0.5}, {"token": "b", "logprob": -2}]}
    found = answered(reply({"content": "ab"}, logprobs=likely), "small")
    assert found.output == Output("ab", (), "stop", (), (-0.5, -2.0))
    call = {"id": "x", "type": "function", "function": {"name": "find", "arguments": '{"id": 1}'}}
    called = answered(reply({"content": None, "tool_calls": [call]}, finish_reason="tool_calls"), "small")
    assert called.output == Output(None, (ToolCall("find", '{"id": 1}'),), "tool_calls")


def test_what_servers_do_a_little_otherwise_is_read_all_the_same() -> None:
    assert answered(reply({"content": None, "refusal": "I can't."}), "small").output.text == "I can't."
    loose = {"function": {"name": "find", "arguments": {"id": 1}}}
    assert answered(reply({"tool_calls": [loose]}), "small").output.tool_calls == (ToolCall("find", '{"id":1}'),)
    assert answered(b'{"choices": [{"message": {"content": "hi"}}]}', "small").output == Output("hi")


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"<html>", "engine_not_json"),
        (b'{"cut": ', "engine_not_json"),
        (b"\xff", "engine_not_json"),
        (b'{"error": {"message": "secret text"}}', "engine_malformed"),
        (b'{"choices": [{"message": {"content": 7}}]}', "engine_malformed"),
        (b'{"choices": []}', "engine_no_choices"),
        (b'{"model": "large", "choices": [{"message": {"content": "hi"}}]}', "engine_other_model"),
    ],
)
def test_what_is_no_answer_is_a_fault_by_a_short_reason(data: bytes, reason: str) -> None:
    with pytest.raises(EngineFault) as caught:
        answered(data, "small")
    assert str(caught.value) == caught.value.reason == reason


@pytest.mark.parametrize(
    ("asked", "said", "same"),
    [
        ("small", "small", True),
        ("small", "Small", False),
        ("small", "small-int4", False),
        ("small-int4", "small", False),
        ("a.gguf", "/models/a.gguf", True),
        ("/models/a.gguf", "a.gguf", True),
        ("org/small", "small", True),
        ("org/small", "other/small", False),
        ("gpt-4o", "gpt-4o-2024-08-06", True),
        ("gpt-4", "gpt-4-0613", True),
        ("gpt-4o", "gpt-4o-mini", False),
        ("gpt-4o", "gpt-4o-mini-2024-07-18", False),
        ("gpt-4o-2024-08-06", "gpt-4o-2024-11-20", False),
    ],
)
def test_a_model_s_name_may_be_dated_or_have_a_folder_and_is_else_compared_exactly(
    asked: str, said: str, same: bool
) -> None:
    assert same_model(asked, said) is same


def test_a_gateway_s_list_may_name_a_family() -> None:
    assert offers(["openai/*", "mine"], "openai/gpt-4o")
    assert not offers(["openai/*"], "other/gpt-4o")
