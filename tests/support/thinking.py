"""`quantwatch assess` that stops to think once: `python -m tests.support.thinking OPTIONS…` waits for a line before it
writes its first look, in the middle of its transaction."""

from __future__ import annotations

import sys
from typing import Any

from services.cli import main
from services.evaluate import Evaluator

_append = Evaluator._append


def _think(self: Evaluator, *given: Any) -> None:
    Evaluator._append = _append  # type: ignore[method-assign]
    sys.stdout.write("thinking\n")
    sys.stdout.flush()
    sys.stdin.readline()
    _append(self, *given)


if __name__ == "__main__":
    Evaluator._append = _think  # type: ignore[method-assign]
    sys.argv = ["quantwatch", "assess", *sys.argv[1:]]
    main()
