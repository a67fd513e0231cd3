"""Faults that show between two arms, or on logged prompts, each named by the doctor."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from tests.support.engine import Engine
from tests.support.events import Json
from tests.support.faults import Status
from tests.support.shop import Shop, log, right, worse


class OtherTokenizer(Engine):
    """An engine that cuts every prompt into more tokens."""

    def complete(self, body: Json) -> Json:
        reply = super().complete(body)
        reply["usage"]["prompt_tokens"] += 3
        return reply


def test_another_tokenizer(healthy: Shop) -> None:
    with OtherTokenizer(right, model="fp16") as engine:
        healthy.arm("shop-fp16", url=engine.url, model="fp16")
        assert "another tokenizer or chat template" in healthy.names("tokenizer", logs=False)


def test_another_tokenizer_than_the_log_s(healthy: Shop) -> None:
    del healthy.rule["variants"]["shop-int4"]["arm"]
    healthy.write([{k: v for k, v in event.items() if k != "response_format"} for event in log(prompt_tokens=99)])
    said = healthy.names("prompt tokens", state="warn")
    assert "the log says 99, 99, 99" in said


def test_a_context_that_is_too_short(healthy: Shop, engines: Callable[..., Engine]) -> None:
    healthy.arm("shop-fp16", url=engines(right, model="fp16", context=60).url, model="fp16")
    assert "shop-fp16 takes 60 tokens" in healthy.names("context")


def test_a_reference_at_the_place_of_the_served_build(healthy: Shop) -> None:
    arms = healthy.rule["variants"]
    arms["shop-fp16"]["arm"] = dict(arms["shop-int4"]["arm"])
    assert "asked at the same place" in healthy.names("two builds")


def test_a_reference_that_is_the_served_build_behind_another_address(
    healthy: Shop, engines: Callable[..., Engine]
) -> None:
    healthy.arm("shop-fp16", url=engines(worse, model="fp16").url, model="fp16")
    said = healthy.names("two builds")
    assert "differ on 0 of 20 prompts and in no probability" in said
    assert "the reference is the served build" in said


def test_a_reference_that_never_says_the_same_twice(healthy: Shop, engines: Callable[..., Engine]) -> None:
    turn = iter(range(10_000))
    healthy.arm(
        "shop-fp16",
        url=engines(lambda body: right(body) if next(turn) % 3 else '{"sku": 7}', model="fp16").url,
        model="fp16",
    )
    said = healthy.names("noise")
    assert "judged differently, beyond the tolerance: schema on" in said


def test_an_engine_that_fails_on_the_prompts(healthy: Shop, engines: Callable[..., Engine]) -> None:
    engine = engines(right, model="fp16", faults=lambda body: Status(422) if body["max_tokens"] > 1 else None)
    healthy.arm("shop-fp16", url=engine.url, model="fp16")
    assert "answered 0 of 20 logged prompts: 20 the build refuses it" in healthy.names("replay")


def test_a_plan_that_could_not_find_a_cut_answer(healthy: Shop) -> None:
    healthy.write([{k: v for k, v in event.items() if k != "response_format"} for event in log()])
    assert "no gating signal notices an answer cut in the middle" in healthy.names("cut answers")


def test_tolerances_under_which_a_twentieth_is_nothing(healthy: Shop) -> None:
    healthy.rule["signals"] = {"schema": {"tolerance": 0.05}}
    said = healthy.names("cut answers", state="warn")
    assert "every tenth answer cut fails the build" in said


class Llama:
    """A server of llama.cpp's extra questions beside an engine: it speaks of its template and its end token."""

    def __init__(self, engine: Engine, template: str, stop: str) -> None:
        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *_: Any) -> None:
                """Says nothing."""

            def do_GET(self) -> None:
                settings = {"n_ctx": 4096}
                known = {
                    "/props": {"chat_template": template, "eos_token": stop, "default_generation_settings": settings}
                }
                self.answer(known.get(self.path) or engine.models() | {"data": [{"id": engine.model}]})

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                if self.path == "/apply-template":
                    self.answer({"prompt": template + body["messages"][0]["content"]})
                elif self.path == "/v1/chat/completions":
                    self.answer(engine.complete(body))
                else:
                    self.send_error(404)

            def answer(self, body: Json) -> None:
                data = json.dumps(body).encode()
                self.send_response(200)
                self.send_header("content-length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/v1"

    def __enter__(self) -> Llama:
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.mark.parametrize(
    ("template", "stop", "check", "said"),
    [
        ("<|user|>", "</s>", "chat template", "turn the same conversation into other prompts"),
        ("<user>", "<|end|>", "stop tokens", "ends answers with '</s>', shop-int4 with '<|end|>'"),
    ],
)
def test_engines_with_other_templates_or_ends(shop: Shop, template: str, stop: str, check: str, said: str) -> None:
    with Llama(Engine(right, model="fp16"), "<user>", "</s>") as one, Llama(Engine(worse), template, stop) as two:
        shop.arm("shop-fp16", url=one.url, model="fp16")
        shop.arm("shop-int4", url=two.url, model="small")
        assert said in shop.names(check, logs=False)


def test_engines_that_agree_on_what_can_be_asked(shop: Shop) -> None:
    with Llama(Engine(right, model="fp16"), "<user>", "</s>") as one, Llama(Engine(worse), "<user>", "</s>") as two:
        shop.arm("shop-fp16", url=one.url, model="fp16")
        shop.arm("shop-int4", url=two.url, model="small")
        said = {each["check"]: (each["state"], each["reason"]) for each in shop.doctor(logs=False)[1]}
        assert said["chat template"] == ("ok", "shop-fp16 and shop-int4 write the probes alike")
        assert said["stop tokens"] == ("ok", "shop-fp16 and shop-int4 end answers with '</s>'")
        assert said["context"][1].startswith("shop-int4 takes 4,096 tokens")
