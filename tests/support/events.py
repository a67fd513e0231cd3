"""Logs as teams write them, from a seed: variants, slices, conversations, scores, copies, late lines and garbage."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import msgspec

from monitor.plan import Plan

Json = dict[str, Any]

START = 1_700_000_000.0
"""Event time of a log's first second: long ago, so that nothing is in the future of a test's clock."""
CLOCK = 1_900_000_000_000
"""A store's clock, in milliseconds, later than every event that is not meant to be early."""
SCHEMA: Json = {"type": "object", "required": ["sku"], "properties": {"sku": {"type": "string"}}}
TOOLS: list[Json] = [{"type": "function", "function": {"name": "find", "parameters": {"type": "object"}}}]

SHOP: Json = {
    "bucket": "30s",
    "lateness": "30s",
    "reference": "shop-fp16",
    "variants": {
        "shop-fp16": {"arm": {"backend": "recorded", "model": "fp16.jsonl"}},
        "shop-int4": {"arm": {"backend": "recorded", "model": "int4.jsonl"}},
        "shop-int8": {},
    },
    "unit_turns": [0.6, 0.3, 0.1],
    "slices": [
        {"name": "orders", "where": {"tags": {"route": "order"}}},
        {"name": "long", "where": {"prompt_tokens_from": 1000}},
        {"name": "json", "where": {"structure": "json_schema"}},
        {"name": "chat", "where": {"tags": {"route": ["chat", "small-talk"]}}},
    ],
    "shadow": {"share": 0.3, "strata": {"orders": 0.6}, "horizon": "40s"},
    "correction": {"horizon": "40s"},
    "joins": {"share": 0.6, "horizon": "2m"},
}
BOT: Json = {"bucket": "1m", "lateness": "30s", "variants": {"bot-a": {}}, "joins": {"share": 1.0, "horizon": "1m"}}


def plan(*, text: str = "7d", bot: bool = True, **shop: Any) -> Plan:
    """The plan that the random logs are written for; `shop` replaces keys of its main deployment."""
    deployments = {"shop": SHOP | shop} | ({"bot": BOT} if bot else {})
    return msgspec.convert({"deployments": deployments, "text": text}, Plan)


def request(name: str, time: float, **given: Any) -> Json:
    """A whole request of the main deployment; `given` replaces or adds keys, None takes one away."""
    whole: Json = {
        "id": name,
        "deployment": "shop",
        "variant": "shop-int4",
        "time": time,
        "messages": [{"role": "user", "content": f"please look up the status of parcel {name}"}],
        "output": {"text": f"parcel {name} is on its way", "finish_reason": "stop"},
    }
    return {key: value for key, value in (whole | given).items() if value is not None}


def score(name: str, of: str, time: float, value: float = 0.5, **given: Any) -> Json:
    """A score that comes after its request."""
    return {"kind": "score", "id": name, "deployment": "shop", "request": of, "time": time, "value": value} | given


def feedback(name: str, of: str, time: float, rating: str = "down", **given: Any) -> Json:
    """A user's thumb for a request."""
    said = {"kind": "feedback", "id": name, "deployment": "shop", "request": of, "time": time, "rating": rating}
    return said | given


def line(record: Json) -> bytes:
    """One record as a line of a log, without its newline."""
    return json.dumps(record, separators=(",", ":")).encode()


def lines(*records: Json) -> list[bytes]:
    """Several of them."""
    return [line(record) for record in records]


GARBAGE: tuple[bytes, ...] = (
    b'{"truncated": ',
    b"[]",
    b"null",
    b"\xff\xfe\xfa",
    b'{"time": NaN}',
    b'{"id":"g","deployment":"shop","variant":"shop-int4","time":"soon"}',
    b'{"kind":"riddle","id":"g"}',
    b'{"id":"g","deployment":"shop","variant":"shop-int4","time":1700000000,"user":"a\\u0000b"}',
    b'{"id":"g","deployment":"shop","variant":"shop-int4","time":1700000000,"schema_version":7}',
)


@dataclass(slots=True)
class _Talk:
    """A conversation that goes on."""

    name: str
    variant: str
    turn: int = 0
    prompt: str = ""


@dataclass(slots=True)
class _Writer:
    """Writes one log, line after line; everything is drawn from one seed."""

    random: random.Random
    now: float = START
    number: int = 0
    written: list[bytes] = field(default_factory=list)
    talks: list[_Talk] = field(default_factory=list)
    served: list[str] = field(default_factory=list)

    def write(self) -> None:
        self.now += self.random.expovariate(1 / 1.5)
        actions: tuple[tuple[float, Callable[[], bytes]], ...] = (
            (0.40, self.alone),
            (0.30, self.talk),
            (0.08, self.copy),
            (0.08, self.verdict),
            (0.03, self.bot),
            (0.03, self.outside),
            (0.04, self.late_or_early),
            (0.04, lambda: self.random.choice(GARBAGE)),
        )
        weights, writers = zip(*actions, strict=True)
        self.written.append(self.random.choices(writers, weights)[0]())

    def event(self, **given: Any) -> Json:
        """A request a little out of order, as logs of several servers are."""
        self.number += 1
        name = f"r{self.number}"
        self.served.append(name)
        made = self.shape(name) | given
        return request(name, round(self.now - self.random.uniform(0, 12), 3), **made)

    def shape(self, name: str) -> Json:
        draw = self.random
        route = draw.choice(("order", "chat", "small-talk", "other"))
        made: Json = {"tags": {"route": route}, "prompt_tokens": draw.choice((50, 400, 1500)), "completion_tokens": 40}
        made["variant"] = draw.choice(("shop-fp16", "shop-int4", "shop-int4", "shop-int8"))
        if route == "order":
            made["response_format"] = {"type": "json_schema", "json_schema": {"name": "order", "schema": SCHEMA}}
            made["output"] = {"text": draw.choice(('{"sku":"a1"}', '{"sku":7}', '{"sku":')), "finish_reason": "stop"}
        if route == "other":
            made["tools"] = TOOLS
            made["output"] = {"tool_calls": [{"name": draw.choice(("find", "lose")), "arguments": "{}"}]}
        if draw.random() < 0.1:
            made["output"] = {"text": "I'm sorry, but I can't help with that request.", "finish_reason": "stop"}
        if draw.random() < 0.05:
            made["output"] = None
        if draw.random() < 0.3:
            made["timings"] = {"first_token": draw.uniform(20, 900), "total": draw.uniform(900, 9000)}
        if draw.random() < 0.3:
            made["score"] = round(draw.random(), 3)
        if draw.random() < 0.15:
            made["reference"] = {"text": draw.choice(('{"sku":"a1"}', f"parcel {name}, on its way")), "token_ids": [1]}
            made["reference_score"] = 1.0
        if draw.random() < 0.05:
            made["messages"] = None
        return made

    def alone(self) -> bytes:
        return line(self.event())

    def talk(self) -> bytes:
        if len(self.talks) < 6 or self.random.random() < 0.2:
            self.talks.append(_Talk(f"c{len(self.written)}", self.random.choice(("shop-fp16", "shop-int4"))))
        talk = self.random.choice(self.talks[-6:])
        talk.turn += 1
        given: Json = {"conversation": talk.name, "variant": talk.variant}
        if self.random.random() < 0.7:
            given["turn"] = talk.turn
        prompts = (talk.prompt, "No, that's not what I asked for.", f"tell me about article {self.number} in the shop")
        talk.prompt = self.random.choice(prompts) or "which red shoes are there for children in winter"
        given["messages"] = [{"role": "user", "content": talk.prompt}]
        if self.random.random() < 0.1:
            given["action"] = self.random.choice(("regenerate", "edit"))
        return line(self.event(**given))

    def copy(self) -> bytes:
        """A line again: usually a recent one, sometimes one from long before."""
        back = self.random.choice((1, 2, 5, 30, 200))
        return self.written[-min(back, len(self.written))] if self.written else self.alone()

    def verdict(self) -> bytes:
        """A score or feedback of a request that was served, that will be, or that never is."""
        of = f"r{max(1, self.random.randint(-30, 3) + self.number)}"
        name, time = f"v{len(self.written)}", round(self.now, 3)
        if self.random.random() < 0.5:
            return line(score(name, of, time, round(self.random.random(), 3)))
        return line(feedback(name, of, time, self.random.choice(("up", "down"))))

    def bot(self) -> bytes:
        self.number += 1
        return line(request(f"r{self.number}", round(self.now, 3), deployment="bot", variant="bot-a"))

    def outside(self) -> bytes:
        wrong = self.random.choice(({"variant": "nobody"}, {"deployment": "nowhere"}))
        return line(self.event(**wrong))

    def late_or_early(self) -> bytes:
        shift = self.random.choice((-29.0, -45.0, -400.0, 1e9))
        self.number += 1
        return line(request(f"r{self.number}", round(self.now + shift, 3)))


def random_log(seed: int, size: int) -> list[bytes]:
    """A log of `size` lines; the same for the same seed."""
    writer = _Writer(random.Random(seed))
    for _ in range(size):
        writer.write()
    return writer.written
