"""Pairs of OpenAI bodies: as the engines write them, and native requests written as such by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from tests.support.events import Json

_DATA = Path(__file__).parent.parent / "data" / "openai_pairs"

META: Final[Json] = {
    **{key: f"$.meta.{key}" for key in ("id", "time", "received_at", "deployment", "variant", "conversation", "turn")},
    "user": "$.meta.user",
    "tags_from": "$.meta.tags",
    "timings": {key: f"$.meta.timings.{key}" for key in ("queue", "first_token", "total")},
    "load": {key: f"$.meta.load.{key}" for key in ("running", "waiting")},
}
"""A plan's `input.mapping` for the pairs that `as_pair` writes."""

UNPAIRED: Final = ("action", "expected", "score", "reference", "reference_score")
"""What a pair has no word for."""


def written_by(engine: str) -> dict[str, Json]:
    """The pairs of `openai`, `vllm` or `llamacpp`, by the name of their case."""
    lines = (_DATA / f"{engine}.jsonl").read_text(encoding="utf-8").splitlines()
    return {pair.pop("case"): pair for pair in map(json.loads, lines)}


def as_pair(event: Json) -> Json:
    """A native request with messages and output as a pair, with all that no body has under `meta`."""
    bodies = ("messages", "tools", "response_format", "sampling", "output", "prompt_tokens", "completion_tokens")
    meta = {key: value for key, value in event.items() if key not in bodies}
    sampling = dict(event.get("sampling") or {})
    choice = sampling.get("tool_choice")
    if choice not in (None, "auto", "none", "required"):
        sampling["tool_choice"] = {"type": "function", "function": {"name": choice}}
    request = {"model": "m", "messages": list(map(_message, event["messages"])), **sampling}
    request |= {key: event[key] for key in ("tools", "response_format") if event.get(key) is not None}
    output = event["output"]
    said = {"role": "assistant", "content": output.get("text"), "tool_calls": _calls(output)}
    response = {
        "object": "chat.completion",
        "model": "m",
        "choices": [{"index": 0, "message": said, "finish_reason": output.get("finish_reason"), **_tokens(output)}],
        "usage": {key: event.get(key) for key in ("prompt_tokens", "completion_tokens")},
    }
    return {"meta": meta, "request": request, "response": response}


def _message(message: Json) -> Json:
    return {**message, "tool_calls": _calls(message)}


def _calls(said: Json) -> list[Json] | None:
    calls = [
        {"id": f"call_{i}", "type": "function", "function": {"arguments": "{}", **call}}
        for i, call in enumerate(said.get("tool_calls", ()))
    ]
    return calls or None


def _tokens(output: Json) -> Json:
    logprobs: list[Any] = output.get("logprobs", [])
    content = [{"token": "", "logprob": logprob, "bytes": None, "top_logprobs": []} for logprob in logprobs]
    return {"logprobs": {"content": content} if content else None, "token_ids": output.get("token_ids")}
