"""Bodies as the OpenAI SDK, vLLM and llama.cpp write them become native events with all that they say."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from monitor.dialects.reader import Reader
from monitor.model import Event
from tests.support.events import line
from tests.support.openai_pairs import written_by

CITY = {"city", "parcels"}


def native(engine: str, case: str) -> dict[str, Any]:
    """The event of a pair, as JSON says it natively."""
    pair = written_by(engine)[case]
    (event,) = Reader().decode_all([line(pair)], "file:/log.jsonl")
    assert isinstance(event, Event), event
    said = json.loads(msgspec.json.encode(event))
    return {key: value for key, value in said.items() if key != "tools" or value is not None}


def test_all_that_a_request_of_the_sdk_says_is_kept() -> None:
    assert native("openai", "text") == {
        "id": "chatcmpl-AAA1",
        "deployment": "default",
        "variant": "shop-8b-awq",
        "time": 1795512600.0,
        "conversation": "c-4",
        "user": "u-17",
        "messages": [
            {"role": "developer", "content": "Answer in one sentence."},
            {"role": "user", "content": "Where is parcel 12?"},
        ],
        "sampling": {"temperature": 0.2, "top_p": 0.9, "seed": 7, "max_tokens": 64, "stop": ["\n\n"]},
        "output": {"text": "Parcel 12 is in Oslo.", "finish_reason": "stop"},
        "prompt_tokens": 21,
        "completion_tokens": 9,
        "tags": {"route": "chat", "conversation_id": "c-4", "system_fingerprint": "fp_44709d6fcb"},
    }


def test_a_schema_is_demanded_in_each_engines_own_words() -> None:
    words = {
        "openai": ("schema", {"name": "order", "strict": True}),
        "vllm": ("structured", {}),
        "llamacpp": ("schema", {}),
    }
    for engine, (case, more) in words.items():
        demanded = native(engine, case)["response_format"]
        schema = demanded["json_schema"].pop("schema")
        assert demanded == {"type": "json_schema", "json_schema": more}, engine
        assert set(schema["properties"]) == CITY, engine
    assert set(native("llamacpp", "schema of its own")["response_format"]["json_schema"]["schema"]["required"]) == CITY


def test_parts_of_a_message_that_are_text_are_its_lines() -> None:
    assert native("openai", "schema")["messages"] == [{"role": "user", "content": "Two parcels to Oslo.\nAs JSON."}]


@pytest.mark.parametrize(
    ("engine", "case", "arguments"),
    [
        ("openai", "tools", '{"code": "B8"}'),
        ("vllm", "tools", '{"code": "B8"}'),
        ("llamacpp", "tools", '{"code":"B8"}'),
        ("llamacpp", "older tools", '{"code":"B8"}'),
    ],
)
def test_tool_calls_are_kept_as_the_model_wrote_them(engine: str, case: str, arguments: str) -> None:
    event = native(engine, case)

    assert event["output"]["tool_calls"] == [{"name": "find_parcel", "arguments": arguments}]
    assert "text" not in event["output"]
    assert event["tools"][0]["function"]["name"] == "find_parcel"


def test_calls_and_their_results_in_a_prompt_are_kept() -> None:
    event = native("openai", "tools")

    assert [message["role"] for message in event["messages"]] == ["user", "assistant", "tool", "user"]
    assert event["messages"][1] == {
        "role": "assistant",
        "tool_calls": [{"name": "find_parcel", "arguments": '{"code": "B7"}'}],
    }
    assert event["sampling"] == {"tool_choice": "find_parcel"}
    assert native("vllm", "tools")["sampling"] == {"tool_choice": "required"}


def test_a_refusal_in_its_own_field_is_what_the_user_got() -> None:
    assert native("openai", "refusal")["output"]["text"] == "I'm sorry, I can't help with that."


@pytest.mark.parametrize(
    ("engine", "case", "ids", "logprobs"),
    [
        ("openai", "logprobs", None, [-0.317, -0.024]),
        ("vllm", "tokens", [9642, 13], [-0.31, -9999.0]),
        ("vllm", "tokens as ids", [9642, 13], [-0.31, -0.02]),
        ("llamacpp", "logprobs", [9642, 13], [-0.31, -0.02]),
    ],
)
def test_log_probabilities_come_with_ids_where_the_engine_says_them(
    engine: str, case: str, ids: list[int] | None, logprobs: list[float]
) -> None:
    output = native(engine, case)["output"]

    assert output["logprobs"] == logprobs
    assert output.get("token_ids") == ids


def test_the_engines_own_durations_are_read_where_the_line_has_none() -> None:
    assert native("vllm", "metrics")["timings"] == {"queue": 12.3, "first_token": 85.2, "total": 85.2 + 1240.5}
    assert native("llamacpp", "timings")["timings"] == {"first_token": 43.25, "total": 282.0}
    assert "timings" not in native("llamacpp", "python server")


def test_what_no_text_can_stand_for_is_not_replayed_and_its_turn_is_counted() -> None:
    event = native("vllm", "image")

    assert "messages" not in event
    assert event["turn"] == 2
    assert event["output"]["text"] == "A parcel."


def test_engines_words_for_sampling_sessions_and_builds_are_read() -> None:
    vllm, llamacpp = native("vllm", "metrics"), native("llamacpp", "timings")

    assert vllm["sampling"] == {"temperature": 0.0, "repetition_penalty": 1.1}
    assert vllm["conversation"] == "s-9"
    assert vllm["tags"] == {"system_fingerprint": "vllm-0.21.0-2426ae93"}
    assert llamacpp["sampling"] == {"temperature": 0.0, "repetition_penalty": 1.0}, "no limit is no limit of -1"
    assert llamacpp["variant"] == "shop-8b-q4_0.gguf"


def test_every_pair_of_the_engines_is_taken() -> None:
    taken = [native(engine, case) for engine in ("openai", "vllm", "llamacpp") for case in written_by(engine)]

    assert len(taken) == 18
    assert len({event["id"] for event in taken}) == 18
