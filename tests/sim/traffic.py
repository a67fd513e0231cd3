"""The log of one seed: a build that goes bad, one that stays good, and everything that logs have of disorder."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Final

import msgspec

from monitor.plan import Plan
from tests.support.events import GARBAGE, SCHEMA, Json, feedback, line, request, score

BEGIN: Final = 1_700_000_000.0
"""The time at which a run begins, in seconds."""
SPAN: Final = 7.0
"""Seconds in which its records are written."""
PARTITIONS: Final = 2

_SHOP: Json = {
    "bucket": "2s",
    "lateness": "1s",
    "reference": "shop-fp16",
    "variants": {"shop-fp16": {}, "shop-int4": {}, "shop-int8": {}},
    "unit_turns": [0.6, 0.4],
    "slices": [{"name": "orders", "where": {"tags": {"route": "order"}}}],
    "signals": {
        "schema": {"tolerance": 0.12},
        "tool_call": {"gates": False},
    },
    "shadow": {"share": 0.0, "horizon": "1s"},
    "correction": {"horizon": "1s"},
    "joins": {"share": 1.0, "horizon": "1s"},
    "policy": {"minimum_pairs": 8, "stale_after": "4s"},
}
PLAN: Final = msgspec.convert({"deployments": {"shop": _SHOP}, "text": "7d"}, Plan)
"""Two slices with the one of all traffic; of the signals three are paired or late: schema, refusal, feedback."""


@dataclass(frozen=True, slots=True)
class Written:
    """One record: when it reaches its topic's partition, in seconds of the run."""

    at: float
    topic: str
    partition: int
    value: bytes


def written(seed: int) -> list[Written]:
    """All records of a seed, at most 200, in the order of their arrival; about half of the seeds have feedback."""
    return _Writer(random.Random(f"traffic {seed}")).write()


class _Writer:
    """Writes one log; everything is drawn from one seed."""

    def __init__(self, draw: random.Random) -> None:
        self._draw = draw
        self._bad_from = draw.uniform(0, 1.0)
        self._records: list[Written] = []
        self._has_feedback = draw.random() < 0.5

    def write(self) -> list[Written]:
        size = self._draw.randint(75, 120)
        for number in range(size):
            self._request(number, self._draw.uniform(0, SPAN))
        self._records.sort(key=lambda each: (each.at, each.value))
        return self._records[:200]

    def _request(self, number: int, at: float) -> None:
        draw, name = self._draw, f"r{number}"
        if draw.random() < 0.04:
            self._put(at, "requests", draw.randrange(PARTITIONS), draw.choice(GARBAGE))
            return
        shift = draw.choice((-1.6, -4.0, 60.0)) if draw.random() < 0.04 else -draw.uniform(0, 0.7)
        made, talk = self._shape(name, at), draw.choice((None, None, f"c{draw.randrange(12)}"))
        if talk is not None:
            made |= {"conversation": talk, "variant": draw.choice(("shop-int4", "shop-int8"))}
        partition = sum((talk or name).encode()) % PARTITIONS
        body = line(request(name, round(BEGIN + at + shift, 3), **made))
        self._put(at, "requests", partition, body)
        if draw.random() < 0.06:  # a producer that was not sure
            self._put(at + draw.choice((0.0, 0.3, 1.0, 2.0)), "requests", partition, body)
        if self._has_feedback and draw.random() < 0.12:
            self._after(name, at + draw.uniform(-0.3, 1.5), partition)

    def _after(self, name: str, at: float, partition: int) -> None:
        draw, at = self._draw, max(0.0, at)
        made = feedback if draw.random() < 0.5 else score
        self._put(at, "feedback", partition, line(made(f"v-{name}", name, round(BEGIN + at, 3))))

    def _shape(self, name: str, at: float) -> Json:
        draw = self._draw
        variant = draw.choice(("shop-int4", "shop-int8"))
        good = f'{{"sku":"{name}"}}'
        made: Json = {"variant": variant, "tags": {"route": draw.choice(("order", "chat"))}, "prompt_tokens": 50}
        made["response_format"] = {"type": "json_schema", "json_schema": {"name": "order", "schema": SCHEMA}}
        bad = variant == "shop-int4" and at > self._bad_from
        made["output"] = {"text": '{"sku":' if bad else good, "finish_reason": "stop"}
        made["reference"] = {"text": good}
        return made

    def _put(self, at: float, topic: str, partition: int, value: bytes) -> None:
        self._records.append(Written(round(at, 3), topic, partition, value))
