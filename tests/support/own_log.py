"""Somebody's own log: OpenAI requests with their responses, as a gateway writes them, with nothing around them."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

from tests.support.events import Json

BUILD = "acme-8b-awq"
FIRST = 1_750_000_000
"""When the first request was served, in seconds: long ago for every clock."""

CITY: Json = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}


def city(number: int, answer: str = '{"city": "Oslo"}', model: str = BUILD, **around: Any) -> Json:
    """One request for a city as JSON, three seconds after the one before; `around` is what the line says besides."""
    choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": answer}}
    return {
        "request": {
            "model": model,
            "messages": [{"role": "user", "content": f"Give the city of order {number} as JSON"}],
            "temperature": 0,
            "response_format": {"type": "json_schema", "json_schema": {"name": "c", "schema": CITY}},
        },
        "response": {
            "id": f"chatcmpl-{number}",
            "object": "chat.completion",
            "created": FIRST + number * 3,
            "model": model,
            "choices": [choice],
            "usage": {"prompt_tokens": 20, "completion_tokens": 8, "total_tokens": 28},
        },
        **around,
    }


def cities(count: int = 400, seed: int = 3) -> list[Json]:
    """A log of them, of which one in twenty breaks its schema."""
    draw = random.Random(seed)
    return [city(i, '{"town": "Oslo"}' if draw.random() < 0.05 else '{"city": "Oslo"}') for i in range(count)]


def embedding(number: int) -> Json:
    """A call of an embeddings endpoint."""
    vector = {"object": "embedding", "index": 0, "embedding": [0.1, 0.2]}
    response = {"object": "list", "data": [vector], "model": "e5", "usage": {"prompt_tokens": 3, "total_tokens": 3}}
    return {"request": {"model": "e5", "input": f"text {number}"}, "response": response}


def write(path: Path, records: list[Json]) -> Path:
    """Writes records, one a line."""
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return path
