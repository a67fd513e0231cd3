"""A gateway's log of the study's prompts: request and response a line, one every ten seconds until some minutes ago.

python -m tests.first_hour.log > served.jsonl
python -m tests.first_hour.log --system mistralinstruct --name mistralinstruct-b > twin.jsonl

Prompts and answers are the study's. The times, the chats, and whatever else stands around them are made up.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator

from tests.first_hour.engines import REFERENCE, SERVED, answers, prompts
from tests.support.engine import Engine, Json

EVERY, AGO, GRID = 10, 60, 300
"""Seconds between requests, from the last one to now at least, and on which the log begins: as wide as a bucket."""


def lines(system: str, name: str, now: float) -> Iterator[Json]:
    """The log of a system that is served under a name. It begins with a bucket, so that any two runs have the same."""
    asked = prompts()
    first = (now - AGO - len(asked) * EVERY) // GRID * GRID
    moment = first
    server = Engine(answers(system), model=name, clock=lambda: moment)
    for place, prompt in enumerate(asked):
        moment = first + place * EVERY
        request: Json = {"model": name, "messages": [{"role": "user", "content": prompt}], "temperature": 0}
        response = server.complete(request) | {"id": f"chatcmpl-{name}-{place}"}
        yield {"request": request, "response": response, "meta": {"chat": f"c-{place}", "user": f"u-{place % 60}"}}


def main() -> None:
    """Writes the log to standard output."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--system", choices=(REFERENCE, SERVED), default=SERVED, help="whose answers")
    parser.add_argument("--name", help="the name under which it was served")
    given = parser.parse_args()
    for line in lines(given.system, given.name or given.system, time.time()):
        sys.stdout.write(json.dumps(line) + "\n")


if __name__ == "__main__":
    main()
