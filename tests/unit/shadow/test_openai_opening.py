"""Opening an arm behind a server: what stops with one line, what only waits, and what the server can."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from monitor.model import Message, Output
from monitor.plan import ArmRule
from shadow.backends import Request, open_backend
from shadow.backends.openai import OpenAIBackend
from shadow.errors import BackendError, EngineFault, Later
from tests.support.engine import Engine, Json
from tests.support.faults import NOT_JSON, OtherModel, Status

ROOT = Path(__file__).parents[3]
HELLO = Request("r", (Message("user", "hello"),))


def say(_: Json) -> str:
    return "hello"


def opened(engine: Engine, environment: dict[str, str] | None = None, **given: Any) -> OpenAIBackend:
    rule = {"backend": "openai", "url": engine.url, "model": "small", "timeout": "2s"} | given
    found = open_backend(ArmRule(**rule), environment=environment)
    assert isinstance(found, OpenAIBackend)
    return found


def test_a_server_is_asked_once_what_it_can() -> None:
    with Engine(say) as engine:
        build = opened(engine)
        assert build.abilities is not None
        assert (build.abilities.logprobs, build.abilities.scores) == (True, False)
        assert len(engine.requests) == 1
        assert engine.requests[0]["max_tokens"] == 1
        assert build.name == f"small@{engine.url.split('/')[2]}"
        (found,) = build.generate([HELLO])
        assert isinstance(found, Output)
        assert len(found.logprobs) == 1
        assert engine.headers[-1]["user-agent"] == "quantwatch-shadow", "so that a gateway can tell replays from users"


def test_a_server_without_log_probabilities_is_asked_for_none() -> None:
    with Engine(say, logprobs=False) as engine:
        build = opened(engine)
        (found,) = build.generate([HELLO])
        assert found == Output("hello", (), "stop")
        assert ["logprobs" in body for body in engine.requests] == [True, False, False]


def test_a_slash_at_the_end_of_the_address_makes_no_difference() -> None:
    with Engine(say) as engine:
        (found,) = opened(engine, url=engine.url + "/").generate([HELLO])
        assert isinstance(found, Output)


@pytest.mark.parametrize(
    ("server", "rule", "said"),
    [
        ({"token": "right"}, {}, "the engine refuses the token (status 401): name its variable as `token_env`"),
        ({"token": "right"}, {"token_env": "SHOP_TOKEN"}, "refuses the token (status 401): is SHOP_TOKEN right?"),
        ({"model": "large"}, {}, "the engine has no model 'small'; it serves: large"),
        ({"faults": [OtherModel("small-int4")]}, {}, "the engine answers as 'small-int4', and the plan says 'small'"),
        ({"faults": [Status(404)]}, {}, "no chat API there, or no model 'small' (status 404)"),
        ({"faults": [Status(403)]}, {}, "the engine refuses the token (status 403)"),
        ({"faults": [Status(308)]}, {}, "the engine redirects (status 308): `url` must be its final address"),
        ({"faults": lambda _: Status(422)}, {}, "the engine refuses a plain chat request (status 422)"),
    ],
)
def test_what_no_waiting_mends_stops_with_one_line(server: dict[str, Any], rule: dict[str, Any], said: str) -> None:
    with Engine(say, **server) as engine, pytest.raises(BackendError) as caught:
        opened(engine, {"SHOP_TOKEN": "sk-wrong"}, **rule)
    assert said in str(caught.value)
    assert "sk-wrong" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_address_without_its_v1_says_so() -> None:
    with Engine(say) as engine, pytest.raises(BackendError, match="does `url` end in /v1"):
        opened(engine, url=engine.url.removesuffix("/v1"))


def test_a_token_that_is_not_set_stops_before_anything_is_asked() -> None:
    with Engine(say) as engine, pytest.raises(BackendError, match="token is not set: SHOP_TOKEN"):
        opened(engine, {}, token_env="SHOP_TOKEN")


def test_a_gateway_without_a_list_of_models_is_judged_by_its_answer() -> None:
    class Bare(Engine):
        def models(self) -> Json:
            return {"error": {"message": "no such page"}}

    with Bare(say) as engine:
        assert opened(engine).abilities is not None


@pytest.mark.parametrize("fault", [Status(500), Status(503, retry_after="3"), Status(429), NOT_JSON], ids=repr)
def test_a_server_that_is_not_up_yet_stops_nothing(fault: Any) -> None:
    with Engine(say) as engine:
        engine.faults = lambda _: fault
        build = opened(engine)
        assert build.abilities is None
        (found,) = build.generate([HELLO])
        assert isinstance(found, Later)


def test_a_server_that_comes_up_later_is_used_from_then_on() -> None:
    now = 0.0
    with Engine(say) as engine:
        engine.stop()
        rule = ArmRule(backend="openai", url=engine.url, model="small", timeout="2s")
        build = OpenAIBackend(rule, clock=lambda: now)
        with pytest.raises(EngineFault, match="engine_unreachable"):
            build.connect()
        now = 5.1
        found = build.generate([HELLO, HELLO, HELLO])
        assert [str(each) for each in found] == ["engine_unreachable", "engine_down", "engine_down"]
        engine.start()
        now = 16.0
        assert all(isinstance(each, Output) for each in build.generate([HELLO, HELLO]))
        assert build.abilities is not None


def test_a_server_that_comes_up_with_another_model_is_a_fault_not_an_answer() -> None:
    now = 0.0
    with Engine(say, model="large") as engine:
        rule = ArmRule(backend="openai", url=engine.url, model="small", timeout="2s")
        build = OpenAIBackend(rule, clock=lambda: now)
        assert [str(each) for each in build.generate([HELLO, HELLO])] == ["engine_unfit", "engine_down"]


def test_nothing_of_torch_is_loaded_for_it() -> None:
    code = (
        "import sys, shadow.backends.openai, shadow.worker, services.bootstrap\n"
        "print([n for n in ('torch', 'transformers', 'safetensors', 'tokenizers') if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
