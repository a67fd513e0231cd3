"""What a dry run is told of one line: its format, where every field came from, and why others stay empty."""

from __future__ import annotations

import json

import pytest

from monitor.dialects.reader import Found, Reader
from monitor.errors import Reject
from monitor.model import Event, ScoreReport
from services.planfile import parse_plan
from tests.support.events import START, Json, line, request, score
from tests.support.openai_pairs import written_by


def explained(given: Json, mapping: Json | None = None) -> Found:
    plan = parse_plan(json.dumps({"input": {"mapping": mapping or {}}}))
    return Reader(plan.input.mapping, plan.home).explain(line(given), "file:/var/log/shop-1.jsonl")


def test_every_field_of_a_pair_has_its_origin() -> None:
    found = explained(
        written_by("openai")["text"] | {"headers": {"X-Route": "order"}}, {"tags": {"r": "headers.x-route"}}
    )

    assert found.dialect == "openai"
    assert isinstance(found.record, Event)
    assert found.origins == {
        "id": "response.id",
        "time": "response.created",
        "deployment": "default",
        "variant": "response.model",
        "conversation": "request.metadata.conversation_id",
        "user": "request.user",
        "messages": "request.messages",
        "sampling": "request",
        "output": "response.choices[0]",
        "prompt_tokens": "response.usage.prompt_tokens",
        "completion_tokens": "response.usage.completion_tokens",
        "tags.route": "request.metadata.route",
        "tags.conversation_id": "request.metadata.conversation_id",
        "tags.r": "headers.x-route",
        "tags.system_fingerprint": "response.system_fingerprint",
    }


def test_what_stays_empty_says_where_it_was_sought() -> None:
    found = explained(written_by("llamacpp")["timings"] | {"turn": "second"})

    assert found.origins["timings.first_token"] == found.origins["timings.total"] == "response.timings"
    assert "timings.first_token" not in found.missing
    assert found.missing["timings.queue"] == "nothing at `$.timings.queue`"
    assert found.missing["turn"] == "what stands at `$.turn` cannot be read"
    assert found.missing["tools"] == "nothing at `request.tools`"
    assert found.missing["output.logprobs"] == "nothing at `response.choices[0].logprobs`"
    assert found.origins.keys().isdisjoint(found.missing)


def test_what_is_made_says_of_what() -> None:
    pair = written_by("vllm")["image"]
    del pair["response"]["id"]
    found = explained(pair, {"variant": {"file": r"^(\w+)-"}, "deployment": {"constant": "shop"}})

    assert found.origins["id"] == "hash of the line"
    assert found.origins["turn"] == "request.messages"
    assert (found.origins["variant"], found.origins["deployment"]) == ("file name", "constant")
    assert found.missing["messages"] == "a message has parts that are not text"
    assert found.missing.keys().isdisjoint({"id", "turn", "variant", "deployment"})


@pytest.mark.parametrize("pair", [pair for e in ("openai", "vllm", "llamacpp") for pair in written_by(e).values()])
def test_every_field_has_an_origin_or_is_missing(pair: Json) -> None:
    found = explained(pair)
    known = {f"timings.{part}" for part in ("queue", "first_token", "total")} | {"load.running", "load.waiting"}
    known |= {"id", "time", "received_at", "deployment", "variant", "conversation", "turn", "user", "messages", "tools"}
    known |= {"response_format", "sampling", "output", "prompt_tokens", "completion_tokens"}
    known |= {f"output.{part}" for part in ("tool_calls", "logprobs", "token_ids")}

    assert known - found.origins.keys() - found.missing.keys() == set()
    assert found.origins.keys().isdisjoint(found.missing)


def test_a_native_record_is_its_own_origin() -> None:
    found = explained(request("r", START, user="ada"))

    assert found.dialect == "native"
    assert found.origins["user"] == "$.user"
    assert found.missing["turn"] == "not in the line"
    assert isinstance(explained(score("s", "r", START)).record, ScoreReport)


def test_a_pair_under_native_keys_is_said_to_be_unread() -> None:
    native = {"id": "r", "deployment": "shop", "variant": "shop-int4", "time": START}
    found = explained({**written_by("openai")["text"], **native})

    assert found.dialect == "native"
    assert found.missing["messages"].endswith("so its `request` is not read")


def test_a_refused_pair_still_says_what_was_read() -> None:
    pair = written_by("openai")["text"]
    pair["response"]["created"] = None
    found = explained(pair)

    assert isinstance(found.record, Reject)
    assert (found.dialect, found.record.reason) == ("openai", "no_time")
    assert found.origins["variant"] == "response.model"
    assert found.missing["time"] == "nothing at `$.time`, `$.timestamp`, `response.created`"


def test_what_is_refused_by_its_bodies_was_not_read_further() -> None:
    pair = written_by("openai")["text"]
    found = explained({**pair, "response": {"error": {"message": "x"}}})

    assert (found.dialect, found.origins, found.missing) == ("openai", {}, {})
    assert isinstance(found.record, Reject)
    assert found.record.reason == "no_answer"


def test_what_is_neither_is_none() -> None:
    found = explained({"input": "hello"})

    assert (found.dialect, found.origins, found.missing) == ("none", {}, {})
    assert isinstance(found.record, Reject)


def test_an_explanation_holds_no_text_of_the_line() -> None:
    mark = "xylophone-4711"
    pair = written_by("openai")["tools"]
    raw = json.loads(json.dumps(pair).replace("B7", mark).replace("B8", mark).replace("Find", mark))
    for mapping in ({}, {"time": "request.messages[0].content"}):
        found = explained(raw, mapping)
        said = [*found.origins.values(), *found.missing.values(), str(found.record) if "time" in mapping else ""]
        assert [word for word in said if mark in word] == []
