"""Writes the held-out prompts that demo traffic is made of: `python -m shadow.training.prompts`."""

import gzip
import json
from pathlib import Path
from random import Random
from typing import Any

from shadow.training.example import Example
from shadow.training.measure import held_out, take
from shadow.training.tasks import TASKS

TARGET = Path("services/simulate/data/prompts.jsonl.gz")
COUNTS = {"order": 1400, "tools": 1400, "codes": 1400, "chat": 1400, "refusal": 1000, "list": 200}
SEED = 4711


def record(example: Example) -> dict[str, Any]:
    """The example as one line of the file: requests in a chat API's own shapes, and what to expect."""
    return {
        "route": example.route,
        "messages": list(example.messages),
        "tools": list(example.tools) if example.tools else None,
        "response_format": example.response_format,
        "expected": {"kind": example.kind, "value": example.value},
        "rephrasings": list(example.rephrasings),
    }


def main() -> None:
    rng = Random(SEED)
    drawn = [example for route, count in COUNTS.items() for example in take(held_out(TASKS[route], rng), count)]
    rng.shuffle(drawn)
    lines = "".join(json.dumps(record(example), separators=(",", ":")) + "\n" for example in drawn)
    TARGET.parent.mkdir(parents=True, exist_ok=True)
    # No time stamp inside, so that the same seed gives the same bytes.
    TARGET.write_bytes(gzip.compress(lines.encode(), 9, mtime=0))
    print(f"{len(drawn)} prompts, {TARGET.stat().st_size} bytes")


if __name__ == "__main__":
    main()
