"""Faults of single arms, each named by the doctor."""

from __future__ import annotations

import sys
from collections.abc import Callable

import pytest

from tests.support.engine import Engine
from tests.support.faults import Hang, OtherModel, Status
from tests.support.shop import Shop, right


def test_a_wrong_url(healthy: Shop) -> None:
    healthy.arm("shop-fp16", url="http://127.0.0.1:9/v1", model="fp16")
    assert "nothing answers at http://127.0.0.1:9/v1" in healthy.names("arm shop-fp16", logs=False)


def test_a_wrong_path(healthy: Shop) -> None:
    url = healthy.rule["variants"]["shop-fp16"]["arm"]["url"].removesuffix("/v1")
    healthy.arm("shop-fp16", url=url, model="fp16")
    assert "does `url` end in /v1?" in healthy.names("arm shop-fp16", logs=False)


def test_a_wrong_model(healthy: Shop) -> None:
    healthy.rule["variants"]["shop-fp16"]["arm"]["model"] = "fp32"
    assert "the engine has no model 'fp32'; it serves: fp16" in healthy.names("arm shop-fp16", logs=False)


def test_an_engine_that_answers_as_another_model(healthy: Shop, engines: Callable[..., Engine]) -> None:
    engine = engines(right, model="fp16", faults=lambda _: OtherModel("fp8"))
    healthy.arm("shop-fp16", url=engine.url, model="fp16")
    assert "the engine answers as 'fp8'" in healthy.names("arm shop-fp16", logs=False)


def test_an_expired_token(healthy: Shop, engines: Callable[..., Engine], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_TOKEN", "yesterday's")
    healthy.arm(
        "shop-fp16", url=engines(right, model="fp16", token="today's").url, model="fp16", token_env="SHOP_TOKEN"
    )
    said = healthy.names("arm shop-fp16", logs=False)
    assert "the engine refuses the token (status 401): is SHOP_TOKEN right?" in said
    assert "yesterday" not in said


def test_a_token_that_is_not_set(healthy: Shop) -> None:
    healthy.rule["variants"]["shop-fp16"]["arm"]["token_env"] = "NO_SUCH_TOKEN"
    assert "the token is not set: NO_SUCH_TOKEN" in healthy.names("arm shop-fp16", logs=False)


def test_an_engine_that_hangs(healthy: Shop, engines: Callable[..., Engine]) -> None:
    engine = engines(right, model="fp16", faults=lambda _: Hang(30))
    healthy.arm("shop-fp16", url=engine.url, model="fp16", timeout="300ms")
    assert "does not answer a chat request (within 300ms" in healthy.names("arm shop-fp16", logs=False)


def test_an_engine_that_returns_500(healthy: Shop, engines: Callable[..., Engine]) -> None:
    healthy.arm("shop-fp16", url=engines(right, model="fp16", faults=lambda _: Status(500)).url, model="fp16")
    assert "does not answer a chat request" in healthy.names("arm shop-fp16", logs=False)


def test_a_build_in_this_process_without_torch(healthy: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    monkeypatch.delitem(sys.modules, "shadow.backends.transformers", raising=False)
    healthy.rule["variants"]["shop-fp16"]["arm"] = {"model": "quantwatch-small"}
    assert "torch is missing: install quantwatch[shadow]" in healthy.names("arm shop-fp16", logs=False)


@pytest.mark.shadow
def test_a_folder_without_a_model(healthy: Shop) -> None:
    healthy.rule["variants"]["shop-fp16"]["arm"] = {"model": "nowhere"}
    assert "config.json is missing" in healthy.names("arm shop-fp16", logs=False)


def test_recorded_answers_that_are_not_there(healthy: Shop) -> None:
    healthy.rule["variants"]["shop-fp16"]["arm"] = {"backend": "recorded", "model": "none.jsonl"}
    assert "recorded outputs cannot be read" in healthy.names("arm shop-fp16", logs=False)
