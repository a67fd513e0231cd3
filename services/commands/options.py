"""Options and output that the commands share."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any, TypeVar

import click
import msgspec

from services.settings import settings

F = TypeVar("F", bound=Callable[..., Any])


def plan_option(command: F) -> F:
    """`--plan FILE`; without it, quantwatch.yaml if there is one."""
    return click.option("--plan", "plan_file", metavar="FILE", help="The plan; default: quantwatch.yaml if it exists.")(
        command
    )


def db_option(command: F) -> F:
    """`--db URL`; without it, the environment's or a file in this folder."""
    return click.option("--db", "db", metavar="URL", default=lambda: settings().db, help="Database URL.")(command)


def health_option(command: F) -> F:
    """`--health HOST:PORT` for processes without an API."""
    return click.option(
        "--health", "health", metavar="HOST:PORT", help="Answer /v1/health/live, /v1/health/ready and /metrics there."
    )(command)


def json_option(command: F) -> F:
    """`--json` for machines."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON for machines.")(command)


def clock() -> int:
    """The store's clock in the embedded mode: this machine's, in milliseconds."""
    return time.time_ns() // 1_000_000


def print_json(value: Any) -> None:
    """One line of JSON on standard output."""
    sys.stdout.write(msgspec.json.encode(value).decode() + "\n")
    sys.stdout.flush()
