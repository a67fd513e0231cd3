"""A product's requests to one server, and the log that its gateway writes of them."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from pathlib import Path

import httpx

from monitor.model import Output
from shadow.backends.protocol import answered
from tests.engines.traffic import Json, body


def record(url: str, model: str, prompts: Sequence[Json], log: Path) -> list[Output]:
    """Asks one after the other; a line `{"request", "response", …}` each, with what a gateway knows besides."""
    outputs = []
    with httpx.Client(trust_env=False, timeout=60.0) as client, log.open("w", encoding="utf-8") as file:
        for prompt in prompts:
            asked, sent = time.time(), body(prompt, model)
            reply = client.post(f"{url}/chat/completions", json=sent).raise_for_status()
            line = {"timestamp": asked, "latency_ms": round((time.time() - asked) * 1000, 1)}
            file.write(json.dumps({**line, "request": sent, "response": reply.json()}) + "\n")
            outputs.append(answered(reply.content, model).output)
    return outputs
