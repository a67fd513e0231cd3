"""A set-up for the doctor: a plan, a log, and engines, healthy until a test breaks it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.support.events import SCHEMA, Json

MARKER = "zanzibar"
"""Stands in every prompt and answer; must show nowhere."""
ASKED = {"type": "json_schema", "json_schema": {"name": "order", "schema": SCHEMA}}


def right(body: Json) -> str:
    """What the full-precision build answers."""
    return json.dumps({"sku": f"a{_number(body)}", "said": MARKER})


def worse(body: Json) -> str:
    """What the quantized build answers: now and then something else, and as valid."""
    return right(body).replace(MARKER, "elsewhere") if _number(body) % 7 == 0 else right(body)


def _number(body: Json) -> int:
    return sum(map(ord, body["messages"][-1]["content"]))


def log(requests: int = 120, **given: Any) -> list[Json]:
    """A log of the quantized build that ended a quarter of an hour ago."""
    begin = time.time() - 900 - 10 * requests
    found = []
    for number in range(requests):
        messages = [{"role": "user", "content": f"{MARKER} {number}: which parcel is it?"}]
        event = {"id": f"r{number}", "deployment": "shop", "variant": "shop-int4", "time": begin + 10 * number}
        event |= {"messages": messages, "response_format": ASKED, "prompt_tokens": 11 + len(str(number))}
        event |= {"output": {"text": worse({"messages": messages}), "finish_reason": "stop"}}
        event |= {"tags": {"route": "cart" if number % 2 else "chat"}, "sampling": {"max_tokens": 64}}
        found.append(event | given)
    return found


class Shop:
    """A set-up on disk that is healthy until a test breaks it."""

    def __init__(self, folder: Path, run: Callable[..., Any]) -> None:
        self.folder = folder
        self.plan_file, self.log_file, self.db = (
            folder / "plan.yaml",
            folder / "log.jsonl",
            f"sqlite:///{folder}/own.db",
        )
        self._run = run
        self.rule: Json = {
            "reference": "shop-fp16",
            "variants": {"shop-fp16": {"format": {"bits": 16}}, "shop-int4": {"format": {"bits": 4}}},
            "slices": [{"name": "cart", "where": {"tags": {"route": "cart"}}}],
            "shadow": {"share": 0.2},
        }
        self.plan: Json = {"deployments": {"shop": self.rule}}
        self.write(log())

    def write(self, events: list[Json]) -> None:
        self.log_file.write_text("".join(json.dumps(event) + "\n" for event in events))

    def arm(self, variant: str, **given: Any) -> None:
        self.rule["variants"][variant]["arm"] = {"backend": "openai", "timeout": "2s"} | given

    def doctor(self, *words: Any, logs: bool = True) -> tuple[int, list[Json]]:
        """What the doctor says: its exit code, and all its checks."""
        self.plan_file.write_text(json.dumps(self.plan))
        given = ("--log", self.log_file) if logs else ()
        ran = self._run("doctor", "--plan", self.plan_file, "--db", self.db, "--json", *given, *words)
        assert MARKER not in ran.out + ran.err
        ((said,),) = (ran.json,)
        assert said["ok"] == (ran.code == 0)
        return ran.code, said["checks"]

    def names(self, check: str, *words: Any, state: str = "fail", logs: bool = True) -> str:
        """The reasons of a check that is not well; that it failed shows in the exit code."""
        code, checks = self.doctor(*words, logs=logs)
        found = [
            f"{each['reason']}; {each['mend']}" for each in checks if (each["check"], each["state"]) == (check, state)
        ]
        assert found, checks
        assert state != "fail" or code == 3
        return " | ".join(found)
