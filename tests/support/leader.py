"""An evaluator that stops to think: `python -m tests.support.leader URL` waits for a line before it writes a look."""

from __future__ import annotations

import sys
from typing import Any

from services.errors import ServiceError
from services.evaluate import Evaluator
from services.store.engine import open_engine
from tests.support.events import plan
from tests.support.stores import clock


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


class Slow(Evaluator):
    """In the middle of its transaction, before its first row."""

    def _append(self, *given: Any) -> None:
        say("thinking")
        sys.stdin.readline()
        super()._append(*given)


def main(url: str) -> None:
    try:
        verdicts = Slow(open_engine(url), plan(bot=False), clock).look()
        say(f"wrote {len(verdicts)} looks")
    except ServiceError as error:
        say(f"refused: {error}")


if __name__ == "__main__":
    main(sys.argv[1])
