"""Where a line says what its bodies do not: paths, headers, constants, file names, and their order."""

from __future__ import annotations

import json
from typing import Any

import pytest

from monitor.dialects.mapping import InputRule
from monitor.dialects.reader import Reader
from monitor.errors import Reject
from monitor.model import Event
from services.planfile import parse_plan
from tests.support.events import Json, line
from tests.support.openai_pairs import written_by

FILE = "file:/var/log/llm/shop-int4-20261124.jsonl"


def pair(**around: Any) -> Json:
    return {**written_by("llamacpp")["python server"], **around}


def read(around: Json, mapping: Json | None = None, *, name: str = FILE) -> Event | Reject:
    """What a line becomes under a mapping, written as a plan writes it."""
    plan = parse_plan(json.dumps({"input": {"mapping": mapping or {}}}))
    (found,) = Reader(plan.input.mapping, plan.home).decode_all([line(pair(**around))], name)
    assert isinstance(found, Event | Reject)
    return found


def event(around: Json, mapping: Json | None = None, **how: Any) -> Event:
    found = read(around, mapping, **how)
    assert isinstance(found, Event), found
    return found


@pytest.mark.parametrize(
    ("written", "unit", "seconds"),
    [
        (1795512600, None, 1795512600.0),
        (1795512600.25, None, 1795512600.25),
        (1795512600250, None, 1795512600.25),
        (1795512600250000, None, 1795512600.25),
        (1795512600250000000, None, 1795512600.25),
        ("1795512600.25", None, 1795512600.25),
        ("2026-11-24T09:30:00.250Z", None, 1795512600.25),
        ("2026-11-24T10:30:00.25+01:00", None, 1795512600.25),
        ("2026-11-24 10:30:00.250000001+0100", None, 1795512600.25),
        (1795512600250, "ms", 1795512600.25),
        (1795512600, "s", 1795512600.0),
    ],
)
def test_a_moment_is_seconds_a_smaller_unit_or_iso_8601(written: Any, unit: str | None, seconds: float) -> None:
    place = {"path": "$.meta.ts", "unit": unit} if unit else "$.meta.ts"

    assert event({"meta": {"ts": written}}, {"time": place}).time == seconds


@pytest.mark.parametrize(
    "written",
    ["2026-11-24T09:30:00", "tomorrow", "", 0, -5, 7, True, None, [], {}, "1", 10**30, float("1e308")],
)
def test_a_moment_that_could_be_another_is_none(written: Any) -> None:
    refused = read({"meta": {"ts": written}}, {"time": "$.meta.ts"})

    assert isinstance(refused, Reject)
    assert refused.reason == "no_time"
    there = "nothing at `$.meta.ts`" if written is None else "what stands at `$.meta.ts` cannot be read"
    assert refused.detail == there


def test_milliseconds_where_the_plan_says_seconds_are_no_moment() -> None:
    refused = read({"ts": 1795512600250}, {"time": {"path": "$.ts", "unit": "s"}})

    assert isinstance(refused, Reject)
    assert refused.reason == "no_time"


def test_the_first_place_that_holds_something_of_the_kind_gives_the_value() -> None:
    places = ["$.a", "headers.x-user", "$.b.c", {"constant": "nobody"}]

    assert event({"a": {"no": "name"}, "b": {"c": "ada"}}, {"user": places}).user == "ada"
    assert event({"a": "", "headers": {"X-User": "bob"}}, {"user": places}).user == "bob"
    assert event({"a": 17}, {"user": places}).user == "17"
    assert event({}, {"user": places}).user == "nobody"


def test_headers_match_in_any_case_and_have_a_first_value() -> None:
    headers = {"X-Conversation-ID": ["c-1", "c-2"], "X-Turn": "3"}
    found = event({"request_headers": headers}, {"turn": "headers.X-TURN"})

    assert (found.conversation, found.turn) == ("c-1", 3)


def test_a_constant_and_a_part_of_the_files_name_can_stand_for_a_field() -> None:
    mapping = {"deployment": {"constant": "shop"}, "variant": {"file": r"^(.+)-\d{8}\.jsonl$"}}

    assert event({}, mapping).deployment == "shop"
    assert event({}, mapping).variant == "shop-int4"
    refused = read({}, mapping, name="inbox")
    assert isinstance(refused, Reject)
    assert (refused.reason, refused.detail) == ("no_variant", "nothing at `file name`")


@pytest.mark.parametrize(
    ("body", "mapping"),
    [
        (("input", "output"), {"request": "$.input", "response": "$.output"}),
        (("a b", "c.d"), {"request": '$["a b"]', "response": '$["c.d"]'}),
    ],
)
def test_bodies_may_stand_under_other_keys(body: tuple[str, str], mapping: Json) -> None:
    given = pair(request=None, response=None) | {
        body[0]: {**written_by("vllm")["metrics"]["request"], "user": "ada"},
        body[1]: written_by("vllm")["metrics"]["response"],
    }

    assert event(given, mapping).id == "chatcmpl-89cf9de14d6fdfd2"
    assert event(given, mapping).user == "ada", "`request.` is the body wherever it stands"


def test_bodies_may_stand_in_a_body_beside_headers_and_as_text() -> None:
    bodies = written_by("vllm")["metrics"]
    request = {"method": "POST", "headers": {"X-Session-Id": "s-1"}, "body": json.dumps(bodies["request"])}
    response = {"status": 200, "body": json.dumps(bodies["response"])}
    found = event({"request": request, "response": response}, {"conversation": "headers.x-session-id"})

    assert (found.id, found.conversation) == ("chatcmpl-89cf9de14d6fdfd2", "s-1")
    assert found.output is not None
    assert found.output.text == "In Oslo."


def test_what_the_line_says_in_native_words_comes_first() -> None:
    around = {
        "id": "r-1",
        "deployment": "shop",
        "variant": "shop-int4",
        "received_at": "2026-11-24T09:31:00Z",
        "conversation": "c",
        "turn": 2,
        "user": "ada",
        "tags": {"route": "order", "beta": True, "n": 3, "list": []},
        "timings": {"first_token": 12.5, "total": 80},
        "load": {"running": 3, "waiting": 0},
    }
    found = event(around)

    assert (found.id, found.deployment, found.variant, found.time) == ("r-1", "shop", "shop-int4", 1795512600.0)
    assert (found.conversation, found.turn, found.user) == ("c", 2, "ada")
    assert found.tags == {"route": "order", "beta": "true", "n": "3"}
    assert found.received_at is not None
    assert found.timings is not None
    assert (found.timings.queue, found.timings.first_token, found.timings.total) == (None, 12.5, 80.0)
    assert found.load is not None
    assert (found.load.running, found.load.waiting) == (3, 0)


def test_durations_are_milliseconds_unless_a_place_says_otherwise() -> None:
    mapping = {"timings": {"total": {"path": "$.seconds", "unit": "s"}, "first_token": "$.ttft"}}
    found = event({"seconds": 1.5, "ttft": "200"}, mapping)

    assert found.timings is not None
    assert (found.timings.first_token, found.timings.total) == (200.0, 1500.0)


def test_the_lines_durations_are_never_mixed_with_the_engines() -> None:
    bodies = written_by("llamacpp")["timings"]
    found = event({**bodies, "latency_ms": 900})

    assert found.timings is not None
    assert (found.timings.first_token, found.timings.total) == (None, 900.0)


def test_single_tags_come_beside_those_of_whole_objects_and_win() -> None:
    mapping = {"tags": {"route": "headers.x-route", "tier": {"constant": "pro"}, "empty": "$.nowhere"}}
    found = event({"headers": {"X-Route": "order"}, "tags": {"route": "chat", "shop": "oslo"}}, mapping)

    assert found.tags == {"route": "order", "shop": "oslo", "tier": "pro"}


def test_a_key_that_is_nowhere_is_off() -> None:
    assert event({"user": "ada", "tags": {"a": "b"}}, {"user": [], "tags_from": []}).user is None
    assert event({"tags": {"a": "b"}}, {"tags_from": []}).tags is None


def test_an_id_that_nobody_gave_is_a_hash_of_the_line() -> None:
    bodies = written_by("llamacpp")["python server"]
    del bodies["response"]["id"]
    first, again, other = (event({**bodies, "n": n}) for n in (1, 1, 2))

    assert first.id == again.id != other.id
    assert first.id.startswith("line-")


def test_the_deployment_that_no_line_names_is_the_one_with_the_variant() -> None:
    mapping = InputRule().mapping
    shops = {"shop": {"variants": {"shop-8b-q4_0": {}}}, "bot": {"variants": {"other": {}}}}
    for deployments, home in (
        ({}, "default"),
        (shops, "shop"),
        ({"only": {}}, "only"),
        ({"only": {"variants": {"other": {}}}}, "only"),
        ({"a": {}, "b": {}}, None),
    ):
        plan = parse_plan(json.dumps({"deployments": deployments}))
        (found,) = Reader(mapping, plan.home).decode_all([line(pair())], FILE)
        if home is None:
            assert isinstance(found, Reject)
            assert found.reason == "no_deployment"
        else:
            assert isinstance(found, Event)
            assert found.deployment == home


def test_a_deployment_that_a_mapping_seeks_in_vain_is_not_guessed() -> None:
    refused = read({}, {"deployment": "$.meta.shop"})

    assert isinstance(refused, Reject)
    assert (refused.reason, refused.detail) == ("no_deployment", "nothing at `$.meta.shop`")
