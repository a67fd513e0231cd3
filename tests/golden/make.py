"""Prints what `sealed.json` should hold: `python -m tests.golden.make`, after a definition was changed on purpose.

The log itself, `log.jsonl`, is never made again: old logs must go on meaning what they meant.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import xxhash

from tests.support.events import plan
from tests.support.stores import Facts, ListSource, seal_all, sealed_facts, store, take

FOLDER = Path(__file__).parent


def golden_facts(folder: Path) -> Facts:
    """The sealed facts of the golden log."""
    engine, watched = store(folder), plan()
    take(engine, watched, ListSource((FOLDER / "log.jsonl").read_bytes().splitlines(), size=50))
    seal_all(engine, watched)
    return sealed_facts(engine)


def pinned(facts: Facts) -> dict[str, str]:
    """For each signal and population how many rows there are, and a hash over their keys and counts."""
    found: dict[str, list[bytes]] = {}
    for key, counts in sorted(facts.items()):
        found.setdefault(f"{key[3]} ({key[5]})", []).append(repr(key).encode() + counts)
    return {
        name: f"{len(rows)} rows {xxhash.xxh3_64_hexdigest(b''.join(rows))}" for name, rows in sorted(found.items())
    }


if __name__ == "__main__":
    with TemporaryDirectory() as made:
        sys.stdout.write(json.dumps(pinned(golden_facts(Path(made))), indent=1) + "\n")
