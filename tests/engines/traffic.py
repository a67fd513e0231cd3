"""What the small model's users ask, as their product sends it to a llama-cpp-python server."""

from __future__ import annotations

import gzip
import json
from collections.abc import Sequence
from importlib.resources import files
from typing import Any

import msgspec

from monitor.model import Event, Expected, Message, Output
from monitor.plan import Plan
from services.bootstrap import scorer

Json = dict[str, Any]
MOST_TOKENS = 96


def prompts(count: int) -> list[Json]:
    """The first held-out prompts of the demo's traffic, shuffled as they lie there."""
    lines = gzip.decompress((files("services.simulate") / "data" / "prompts.jsonl.gz").read_bytes()).splitlines()
    return [json.loads(line) for line in lines[:count]]


def body(prompt: Json, model: str) -> Json:
    """A request. Without `repeat_penalty` this server would take 1.1, and a schema only in this form."""
    sent = {
        "model": model,
        "messages": prompt["messages"],
        "temperature": 0,
        "repeat_penalty": 1.0,
        "max_tokens": MOST_TOKENS,
        "metadata": {"route": prompt["route"]},
    }
    if prompt["tools"]:
        sent |= {"tools": prompt["tools"], "tool_choice": "required"}
    if prompt["response_format"]:
        sent["response_format"] = {"type": "json_object", "schema": prompt["response_format"]["json_schema"]["schema"]}
    return sent


def right(asked: Sequence[Json], answers: Sequence[Output]) -> dict[str, tuple[int, int]]:
    """By route, how many answers were exactly right, and of how many: what the log's reader cannot know."""
    judge = scorer(Plan(), "small")
    found: dict[str, tuple[int, int]] = {}
    for prompt, output in zip(asked, answers, strict=True):
        score = judge(_event(prompt, output), output)
        count, of = found.get(prompt["route"], (0, 0))
        found[prompt["route"]] = (count + (score == 1.0), of + 1)
    return found


def _event(prompt: Json, output: Output) -> Event:
    expected = Expected(prompt["expected"]["kind"], msgspec.Raw(json.dumps(prompt["expected"].get("value")).encode()))
    messages = tuple(Message(turn["role"], turn["content"]) for turn in prompt["messages"])
    return Event("e", "small", "build", 0.0, messages=messages, output=output, expected=expected)
