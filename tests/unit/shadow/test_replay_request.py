"""Which events can be replayed, and what the builds are asked."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from monitor.model import Event, JsonSchemaFormat, Message, ResponseFormat, Sampling, ToolCall
from shadow.errors import NotReplayable
from shadow.replay import request_of

USER = Message("user", "two lamps to Oslo")


def event(**changes: Any) -> Event:
    return msgspec.structs.replace(Event("e", "shop", "int4", 0.0, messages=(USER,)), **changes)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"messages": None}, "no messages"),
        ({"messages": ()}, "no messages"),
        ({"messages": (Message("user"),)}, "a message without text"),
        ({"sampling": Sampling(temperature=0.7)}, "sampled at a temperature above zero"),
        ({"sampling": Sampling(temperature=0.7, seed=1)}, "sampled at a temperature above zero"),
        ({"tools": msgspec.Raw(b'{"no": "list"}')}, "tools that are no list"),
        ({"tools": msgspec.Raw(b"[broken")}, "tools that are no list"),
        (
            {"response_format": ResponseFormat("json_schema", JsonSchemaFormat(msgspec.Raw(b"{")))},
            "a response format that is no JSON",
        ),
    ],
)
def test_refused(changes: dict[str, Any], reason: str) -> None:
    with pytest.raises(NotReplayable) as caught:
        request_of(event(**changes))
    assert caught.value.reason == reason


@pytest.mark.parametrize("sampling", [None, Sampling(), Sampling(temperature=0.0), Sampling(temperature=0.0, seed=3)])
def test_greedy_requests_are_replayable(sampling: Sampling | None) -> None:
    assert request_of(event(sampling=sampling)).messages == (USER,)


def test_an_earlier_tool_call_needs_no_text() -> None:
    turn = Message("assistant", None, tool_calls=(ToolCall("track"),))
    assert request_of(event(messages=(USER, turn))).messages == (USER, turn)


def test_tools_and_response_format_are_parsed() -> None:
    asked = request_of(
        event(
            tools=msgspec.Raw(b'[{"type": "function"}]'),
            response_format=ResponseFormat(
                "json_schema", JsonSchemaFormat(msgspec.Raw(b'{"type": "object"}'), "order")
            ),
        )
    )
    assert asked.tools == [{"type": "function"}]
    assert asked.response_format == {
        "type": "json_schema",
        "json_schema": {"name": "order", "schema": {"type": "object"}},
    }
    strict = JsonSchemaFormat(msgspec.Raw(b"{}"), "order", strict=True)
    found = request_of(event(response_format=ResponseFormat("json_schema", strict))).response_format
    assert found == {"type": "json_schema", "json_schema": {"name": "order", "schema": {}, "strict": True}}
    assert request_of(event(response_format=ResponseFormat("json_object"))).response_format == {"type": "json_object"}
    assert request_of(event(tools=msgspec.Raw(b"null"))).tools is None


@pytest.mark.parametrize(
    ("asked", "limit", "capped"),
    [(None, 256, True), (100, 100, False), (256, 256, False), (257, 256, True)],
)
def test_the_smaller_limit_counts_and_is_remembered(asked: int | None, limit: int, capped: bool) -> None:
    request = request_of(event(sampling=Sampling(max_tokens=asked)), 256)
    assert (request.max_tokens, request.capped) == (limit, capped)
