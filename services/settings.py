"""The wiring: what comes from the environment, read in this one file, once."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cache


@dataclass(frozen=True, slots=True)
class Settings:
    """`db` is a database URL; `token` guards the API on any address but the local one; `heartbeat` is a URL to ask for
    as long as all is well; `kafka` is the address of a Kafka cluster; `json_logs` makes the log one for machines."""

    db: str
    token: str | None
    heartbeat: str | None
    kafka: str | None
    json_logs: bool


@cache
def settings() -> Settings:
    """The settings of this process."""
    return Settings(
        db=os.environ.get("QUANTWATCH_DB", "sqlite:///quantwatch.db"),
        token=os.environ.get("QUANTWATCH_TOKEN") or None,
        heartbeat=os.environ.get("QUANTWATCH_HEARTBEAT") or None,
        kafka=os.environ.get("QUANTWATCH_KAFKA") or None,
        json_logs=os.environ.get("QUANTWATCH_LOG") == "json",
    )


def secret(name: str) -> str | None:
    """A secret by the name of its environment variable, as the plan gives it."""
    return os.environ.get(name) or None
