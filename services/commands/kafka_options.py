"""Options of the commands that talk to Kafka."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from services.settings import settings

F = TypeVar("F", bound=Callable[..., Any])


def kafka_option(command: F) -> F:
    """`--kafka HOST:PORT`; without it, the environment's."""
    return click.option(
        "--kafka",
        "kafka",
        metavar="HOST:PORT",
        default=lambda: settings().kafka,
        required=True,
        help="Kafka's address; several with commas. Default: QUANTWATCH_KAFKA.",
    )(command)


def requests_option(command: F) -> F:
    """`--requests TOPIC`."""
    return click.option(
        "--requests", "requests", metavar="TOPIC", default="llm-requests", show_default=True, help="Topic of requests."
    )(command)


def feedback_option(command: F) -> F:
    """`--feedback TOPIC`; without it, feedback and scores come among the requests, or not at all."""
    return click.option(
        "--feedback", "feedback", metavar="TOPIC", help="Topic of feedback and scores, keyed like its requests."
    )(command)
