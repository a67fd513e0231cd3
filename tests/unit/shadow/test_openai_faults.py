"""A real server that goes wrong: what is tried again, what is given up by which reason, and how long it may take."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from monitor.model import Message, Output
from monitor.plan import ArmRule
from shadow.backends.backend import Request
from shadow.backends.openai import OpenAIBackend
from shadow.errors import EngineFault, Later, NotReplayable
from tests.support.engine import Engine, Json
from tests.support.faults import (
    ERROR_AS_SUCCESS,
    NO_CHOICES,
    NOT_JSON,
    Cut,
    Fault,
    Hang,
    OtherModel,
    Refuse,
    Status,
    Trickle,
)

TOKEN = "sk-planted-token"
SECRET = "zanzibar-planted-secret"


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retries without long pauses."""
    monkeypatch.setattr("shadow.backends.http.FIRST_PAUSE", 0.01)


def request(name: str = "a", text: str = SECRET) -> Request:
    return Request(name, (Message("user", f"{text} {name}"),))


def requests(count: int) -> list[Request]:
    return [request(str(number)) for number in range(count)]


def say(body: Json) -> str:
    return "you said " + body["messages"][-1]["content"]


def backend(engine: Engine, clock: Callable[[], float] = time.monotonic, **rule: Any) -> OpenAIBackend:
    given = {"timeout": "400ms"} | rule
    found = OpenAIBackend(ArmRule(backend="openai", url=engine.url, model="small", **given), TOKEN, clock=clock)
    found.connect()
    engine.requests.clear()
    return found


def reasons(found: Sequence[Output | Exception]) -> list[str]:
    return ["answered" if isinstance(each, Output) else str(each) for each in found]


ONCE: list[tuple[Fault, str]] = [
    (Status(500), "engine_status_500"),
    (Status(503), "engine_status_503"),
    (Status(429), "engine_status_429"),
    (Status(408), "engine_status_408"),
    (Hang(2.0), "engine_timeout"),
    (Trickle(), "engine_timeout"),
    (Cut(), "engine_cut"),
    (Refuse(), "engine_cut"),
    (OtherModel(), "engine_other_model"),
    (NO_CHOICES, "engine_no_choices"),
    (NOT_JSON, "engine_not_json"),
    (ERROR_AS_SUCCESS, "engine_malformed"),
]


@pytest.mark.parametrize("fault", [fault for fault, _ in ONCE], ids=repr)
def test_what_goes_wrong_once_is_tried_again(fault: Fault) -> None:
    with Engine(say) as engine:
        build = backend(engine)
        engine.faults = [fault]
        (found,) = build.generate([request()])
        assert isinstance(found, Output)
        assert len(engine.requests) == 2


@pytest.mark.parametrize(("fault", "reason"), ONCE, ids=repr)
def test_what_goes_on_going_wrong_is_given_up_by_its_reason(fault: Fault, reason: str) -> None:
    with Engine(say) as engine:
        build = backend(engine, timeout="100ms")
        engine.faults = lambda _: fault
        (found,) = build.generate([request()])
        assert isinstance(found, EngineFault)
        assert found.reason == reason
        assert len(engine.requests) == 4


@pytest.mark.parametrize("code", [401, 403, 404, 405, 307])
def test_what_waiting_does_not_mend_is_tried_once(code: int) -> None:
    with Engine(say) as engine:
        build = backend(engine)
        engine.faults = lambda _: Status(code)
        assert reasons(build.generate([request()])) == [f"engine_status_{code}"]
        assert len(engine.requests) == 1


@pytest.mark.parametrize("code", [400, 413, 422])
def test_what_a_server_refuses_has_no_replay_and_does_not_speak_against_the_server(code: int) -> None:
    with Engine(say) as engine:
        build = backend(engine)
        engine.faults = lambda _: Status(code, message=SECRET)
        (found,) = build.generate([request()])
        assert isinstance(found, NotReplayable)
        assert found.reason == f"engine_status_{code}"
        assert not build.breaker.doubtful


def structured(name: str) -> Request:
    form = {"type": "json_schema", "json_schema": {"name": "order", "schema": {"type": "object"}}}
    return Request(name, (Message("user", name),), response_format=form)


def forms(engine: Engine) -> list[str]:
    """The response formats that were asked for, in order."""
    return [body["response_format"]["type"] for body in engine.requests if "response_format" in body]


@pytest.mark.parametrize("code", [422, 500])
def test_a_server_that_takes_a_schema_only_beside_json_object_is_asked_so(code: int) -> None:
    def only_json_object(body: Json) -> Fault | None:  # llama-cpp-python: a 500
        return Status(code) if body.get("response_format", {}).get("type") == "json_schema" else None

    with Engine(say) as engine:
        build = backend(engine, concurrency=1)
        engine.faults = only_json_object
        assert reasons(build.generate([structured("first"), structured("beside it")])) == ["answered"] * 2
        assert forms(engine) == ["json_schema", "json_object", "json_schema", "json_object", "json_object"]
        engine.requests.clear()
        assert reasons(build.generate([structured("later"), request()])) == ["answered"] * 2
        assert forms(engine) == ["json_object"]
        assert not build.breaker.doubtful


def test_a_server_that_fails_for_a_while_is_not_taken_for_one_that_takes_no_schema() -> None:
    with Engine(say) as engine:
        build = backend(engine, concurrency=1)
        engine.faults = [Status(500)]
        assert reasons(build.generate([structured("first")])) == ["answered"]
        assert forms(engine) == ["json_schema", "json_object", "json_schema", "json_schema"]
        engine.requests.clear()
        engine.faults = [Status(503)]
        assert reasons(build.generate([structured("second")])) == ["answered"]
        assert forms(engine) == ["json_schema", "json_schema"]


def test_a_server_that_takes_schemas_is_asked_how_once() -> None:
    with Engine(say) as engine:
        build = backend(engine)
        assert reasons(build.generate([structured("first")])) == ["answered"]
        assert reasons(build.generate([structured("second")])) == ["answered"]
        assert forms(engine) == ["json_schema"] * 3


def test_a_prompt_beyond_the_context_has_no_replay() -> None:
    with Engine(say, context=30) as engine:
        found = backend(engine).generate([request("short"), request("long", "word " * 60)])
        assert [type(each) for each in found] == [Output, NotReplayable]


def test_a_server_says_when_it_wants_to_be_asked_again() -> None:
    with Engine(say) as engine:
        build = backend(engine)
        engine.faults = [Status(429, retry_after="1")]
        started = time.monotonic()
        assert reasons(build.generate([request()])) == ["answered"]
        assert 1.0 <= time.monotonic() - started < 3.0


def test_a_server_that_wants_to_be_left_alone_for_longer_than_the_batch_has_is_asked_later() -> None:
    with Engine(say) as engine:
        build = backend(engine)
        build.begin(5)
        engine.faults = [Status(429, retry_after="90"), Status(503, retry_after="Fri, 31 Dec 2100 23:59:59 GMT")]
        (first,) = build.generate([request()])
        (second,) = build.generate([request()])
        assert isinstance(first, Later)
        assert isinstance(second, Later)
        assert (first.seconds, second.seconds) == (90, 600)


def test_a_batch_ends_in_its_time_however_the_server_hangs() -> None:
    with Engine(say) as engine:
        build = backend(engine, concurrency=2)
        engine.faults = lambda _: Hang(30)
        build.begin(1.0)
        started = time.monotonic()
        found = build.generate(requests(8))
        assert time.monotonic() - started < 1.5
        assert set(reasons(found)) == {"engine_timeout", "no_time"}, "what had no whole try is asked later"


def test_answers_come_in_order_whatever_the_order_in_which_they_were_ready() -> None:
    with Engine(say) as engine:
        build = backend(engine, concurrency=8)
        engine.faults = lambda body: Hang(0.2) if body["messages"][-1]["content"].endswith(("0", "3")) else None
        found = build.generate(requests(8))
        assert [each.text for each in found if isinstance(each, Output)] == [
            f"you said {SECRET} {number}" for number in range(8)
        ]


@pytest.mark.parametrize("concurrency", [1, 3])
def test_no_more_requests_are_under_way_than_the_plan_allows(concurrency: int) -> None:
    with Engine(say, delay=0.03) as engine:
        backend(engine, concurrency=concurrency).generate(requests(9))
        assert engine.peak == concurrency


def test_one_bad_request_takes_no_other_with_it() -> None:
    with Engine(say) as engine:
        build = backend(engine)
        engine.faults = lambda body: Status(500) if body["messages"][-1]["content"].endswith("2") else None
        found = reasons(build.generate(requests(4)))
        assert found == ["answered", "answered", "engine_status_500", "answered"]
        assert not build.breaker.doubtful


class Hand:
    """A clock moved by hand."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_dead_server_is_left_alone_then_tried_by_two_and_back_when_it_is() -> None:
    clock = Hand()
    with Engine(say) as engine:
        build = backend(engine, clock)
        engine.stop()
        assert reasons(build.generate(requests(6))) == ["engine_unreachable"] * 6
        started = time.monotonic()
        waiting = build.generate(requests(6))
        assert time.monotonic() - started < 0.1
        assert {(str(each), each.seconds) for each in waiting if isinstance(each, Later)} == {("engine_down", 5.0)}
        clock.now = 5.1
        tried = reasons(build.generate(requests(6)))
        assert tried == ["engine_unreachable", *["engine_down"] * 4, "engine_unreachable"]
        assert [each.seconds for each in build.generate([request()]) if isinstance(each, Later)] == [10.0]
        clock.now = 16.0
        engine.start()
        assert reasons(build.generate(requests(6))) == ["answered"] * 6
        assert not build.breaker.doubtful


def test_a_bad_request_at_the_head_does_not_keep_a_server_down() -> None:
    clock = Hand()
    with Engine(say) as engine:
        build = backend(engine, clock)
        engine.faults = lambda body: Status(500) if body["messages"][-1]["content"].endswith(" 0") else None
        assert reasons(build.generate(requests(1))) == ["engine_status_500"]
        clock.now = 6.0
        assert reasons(build.generate(requests(4))) == ["engine_status_500", *["answered"] * 3]


def test_neither_token_nor_text_is_told_anybody(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with Engine(say, token=TOKEN) as engine:
        build = backend(engine)
        assert engine.headers[0]["authorization"] == f"Bearer {TOKEN}"
        told = [repr(build), str(vars(build)), repr(build.rule)]
        for fault, _ in ONCE:
            engine.faults = lambda _, fault=fault: fault  # type: ignore[misc]
            build.breaker.note(answered=True)
            (found,) = build.generate([request()])
            told += [repr(found), str(found), repr(getattr(found, "__cause__", None))]
    assert [text for text in (TOKEN, SECRET) if text in caplog.text + "".join(told)] == []


def test_a_redirect_is_not_followed_with_the_token() -> None:
    with Engine(say) as other, Engine(say) as engine:
        build = backend(engine)
        engine.faults = lambda _: Status(307, location=f"{other.url}/chat/completions")
        assert reasons(build.generate([request()])) == ["engine_status_307"]
        assert other.requests == []


def test_it_works_from_threads_as_the_worker_calls_it() -> None:
    with Engine(say) as engine:
        build = backend(engine)
        found: list[Any] = []
        threads = [threading.Thread(target=lambda: found.extend(build.generate(requests(2)))) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(10)
        assert reasons(found) == ["answered"] * 6
