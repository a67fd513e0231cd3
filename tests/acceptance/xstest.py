"""XSTest's completions as native events: one system as the reference of its relative, or of itself on other prompts.

python -m tests.acceptance.xstest mistralinstruct mistralguard > mistral.jsonl
python -m tests.acceptance.xstest mistralinstruct --halves 1 > halves.jsonl
"""

from __future__ import annotations

import argparse
import gzip
import json
import random
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

PAIRS = Path(__file__).parents[1] / "data" / "xstest_pairs" / "pairs.jsonl.gz"
RELATIVES = (("mistralinstruct", "mistralguard"), ("llama2orig", "llama2new"))
OUT_OF_FAMILY = {
    "mistralinstruct": "refusal_without_mistral",
    "mistralguard": "refusal_without_mistral",
    "llama2orig": "refusal_without_llama2",
    "llama2new": "refusal_without_llama2",
}
"""The classifier whose training saw no completion of that system's family."""
DEPLOYMENT = "xstest"
START, EVERY = 1_750_000_000, 10
END = START + 239 * EVERY

Row = dict[str, Any]


def rows() -> list[Row]:
    """The prompts with every system's completion and label, in a fixed, mixed order (they come sorted by kind)."""
    with gzip.open(PAIRS, "rt", encoding="utf-8") as lines:
        found = [json.loads(line) for line in lines]
    random.Random(450).shuffle(found)
    return found


def relatives(reference: str, candidate: str) -> Iterator[Row]:
    """The candidate's completions, each beside the reference's on the same prompt."""
    return _events(candidate, ((row, row["systems"][reference]["completion"]) for row in rows()), candidate)


def halves(system: str, seed: int) -> Iterator[Row]:
    """One random half of a system's completions, each beside one of the other half: no build, no change."""
    found = rows()
    random.Random(seed).shuffle(found)
    middle = len(found) // 2
    others = [row["systems"][system]["completion"] for row in found[middle:]]
    return _events(system, zip(found[:middle], others, strict=False), f"{system}-half{seed}")


def _events(system: str, pairs: Iterable[tuple[Row, str]], variant: str) -> Iterator[Row]:
    for place, (row, reference) in enumerate(pairs):
        yield {
            "id": f"{variant}:{row['id']}",
            "deployment": DEPLOYMENT,
            "variant": variant,
            "time": START + place * EVERY,
            "messages": [{"role": "user", "content": row["prompt"]}],
            "output": {"text": row["systems"][system]["completion"]},
            "reference": {"text": reference},
        }


def main() -> None:
    """Writes the events, a line each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("reference", choices=OUT_OF_FAMILY, help="the system to compare with")
    parser.add_argument("candidate", choices=OUT_OF_FAMILY, nargs="?", help="the system to judge")
    parser.add_argument("--halves", type=int, metavar="SEED", help="compare random halves of the first system")
    given = parser.parse_args()
    if (given.halves is None) == (given.candidate is None):
        parser.error("name a candidate, or --halves and a seed")
    alone = given.candidate is None
    for event in halves(given.reference, given.halves) if alone else relatives(given.reference, given.candidate):
        sys.stdout.write(json.dumps(event) + "\n")


if __name__ == "__main__":
    main()
