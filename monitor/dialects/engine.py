"""What engines say in a response beyond the answer: how long it took, and how probable each token was."""

from __future__ import annotations

from typing import Any, Final

from monitor.dialects.values import Fields

_ID: Final = "token_id:"


def engine_timings(response: Fields) -> tuple[Fields, str] | None:
    """The engine's own stage durations in milliseconds and where they stood: vLLM's `metrics`, llama.cpp's `timings`.

    Both count from when the engine begins with a request; vLLM says beside it how long it waited before.
    """
    for place, first, rest, queue in (
        ("metrics", "time_to_first_token_ms", "generation_time_ms", "queue_time_ms"),
        ("timings", "prompt_ms", "predicted_ms", ""),
    ):
        given = response.get(place)
        if not isinstance(given, dict) or not _duration(given.get(first)):
            continue
        found = {"first_token": given[first]}
        if _duration(given.get(rest)):
            found["total"] = given[first] + given[rest]
        if _duration(given.get(queue)):
            found["queue"] = given[queue]
        return found, f"response.{place}"
    return None


def token_logprobs(choice: Fields) -> Fields:
    """The log-probabilities of the answer's tokens, and their ids where the engine says them."""
    logged = choice.get("logprobs")
    content = logged.get("content") if isinstance(logged, dict) else None
    entries = content if isinstance(content, list) else []
    found = [entry.get("logprob") if isinstance(entry, dict) else None for entry in entries]
    logprobs = found if all(type(each) in (int, float) for each in found) else []
    given = choice.get("token_ids")
    ids = given if isinstance(given, list) else [_token_id(entry) for entry in entries]
    known = ids if all(type(each) is int for each in ids) and (not logprobs or len(ids) == len(logprobs)) else []
    return {"token_ids": known, "logprobs": logprobs}


def _token_id(entry: Any) -> int | None:
    """The id of a token: llama.cpp's `id`, or vLLM's token written as `token_id:7`."""
    if not isinstance(entry, dict):
        return None
    name = entry.get("token")
    if isinstance(name, str) and name.startswith(_ID) and name[len(_ID) :].isdecimal():
        return int(name[len(_ID) :])
    given = entry.get("id")
    return given if type(given) is int else None


def _duration(value: Any) -> bool:
    return type(value) in (int, float) and value >= 0
