"""Llama 3.1 8B at fp16, Q8_0 and Q4_K_M on the same prompts, as native events that bring their reference along.

python -m tests.acceptance.llama31 > llama31.jsonl              one deployment, tasks told apart by a tag
python -m tests.acceptance.llama31 --by-task > by-task.jsonl    one deployment for each task
"""

from __future__ import annotations

import argparse
import gzip
import json
import random
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

PAIRS = Path(__file__).parents[1] / "data" / "llama31_pairs" / "pairs.jsonl.gz"
REFERENCE = "fp16"
VARIANTS = ("q8_0", "q4_K_M")
TASKS = ("extraction", "mmlu")
DEPLOYMENT = "llama31"
START = 1_750_000_000
"""When the first request is said to have come; the data has no times."""
EVERY = 10
"""Seconds between two prompts."""
END = START + 406 * EVERY

Row = dict[str, Any]


def rows() -> list[Row]:
    """The prompts' outputs in a fixed, mixed order, as traffic would bring them."""
    with gzip.open(PAIRS, "rt", encoding="utf-8") as lines:
        found = [json.loads(line) for line in lines]
    random.Random(31).shuffle(found)
    return found


def events(*, by_task: bool = False) -> Iterator[Row]:
    """Both builds answer every prompt in the same second; the log is in the order of time."""
    for place, row in enumerate(rows()):
        for variant in VARIANTS:
            yield event(row, variant, row["task"] if by_task else DEPLOYMENT, START + place * EVERY)


def event(row: Row, variant: str, deployment: str, time: int) -> Row:
    """One served request. The prompts are not in the data, so the event has no messages."""
    own, reference = row["arms"][variant], row["arms"][REFERENCE]
    made = {
        "id": f"{variant}:{row['id']}",
        "deployment": deployment,
        "variant": variant,
        "time": time,
        "tags": {"task": row["task"]},
        "output": {"text": own["output"]},
        "score": own["score"],
        "completion_tokens": own["tokens"],
        "timings": {"total": own["eval_ms"]},
        "reference": {"text": reference["output"]},
        "reference_score": reference["score"],
    }
    return made | {"response_format": {"type": "json_object"}} if row["task"] == "extraction" else made


def main() -> None:
    """Writes the events, a line each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--by-task", action="store_true", help="one deployment for each task")
    for made in events(by_task=parser.parse_args().by_task):
        sys.stdout.write(json.dumps(made) + "\n")


if __name__ == "__main__":
    main()
