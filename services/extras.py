"""What is not installed with the base, and which extra brings it."""

from __future__ import annotations

from typing import Final

_BROUGHT_BY: Final = {
    "faust": "kafka",
    "mode": "kafka",
    "aiokafka": "kafka",
    "cramjam": "kafka",
    "kafka": "kafka",
    "psycopg": "postgres",
}


def needed(error: ModuleNotFoundError) -> str | None:
    """What to install, as a sentence, if the missing module belongs to an extra; else None."""
    extra = _BROUGHT_BY.get((error.name or "").partition(".")[0])
    return None if extra is None else f"this needs quantwatch[{extra}]: pip install 'quantwatch[{extra}]'"
