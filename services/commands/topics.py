"""`quantwatch topics`: the topics that a deployment needs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from functools import wraps
from typing import TYPE_CHECKING, Any

import click

from monitor.plan import seconds
from services.commands.kafka_options import feedback_option, kafka_option, requests_option
from services.commands.options import json_option, print_json
from services.errors import UsageError

if TYPE_CHECKING:
    from services.stream.topics import Wanted


def _wanted_topics(command: Callable[..., None]) -> Callable[..., None]:
    """The options that say which topics there are to be and what they are like; the command gets them as `wanted`."""

    @wraps(command)
    def with_wanted(
        requests: str,
        feedback: str | None,
        quarantined: str | None,
        partitions: int,
        retention: str,
        compression: str,
        **rest: Any,
    ) -> None:
        command(wanted=_wanted(requests, feedback, quarantined, partitions, retention, compression), **rest)

    options = (
        requests_option,
        feedback_option,
        click.option("--quarantined", metavar="TOPIC", help="Topic of what cannot be taken."),
        click.option("--partitions", default=12, show_default=True, help="As many workers can share the work."),
        click.option("--retention", default="7d", show_default=True, help="How long a worker may be away."),
        click.option("--compression", default="zstd", show_default=True, help="Of the topics: zstd, lz4, gzip, …"),
    )
    found: Callable[..., None] = with_wanted
    for option in reversed(options):
        found = option(found)
    return found


@click.group("topics")
def command() -> None:
    """Make Kafka's topics as they should be, or hold them against that."""


@command.command("create")
@kafka_option
@_wanted_topics
@click.option("--replication", default=1, show_default=True, help="Copies of each; 3 in production.")
@json_option
def create(kafka: str, wanted: Sequence[Wanted], replication: int, as_json: bool) -> None:
    """Make those topics that are not there. What is there stays as it is.

    Requests and their feedback get equally many partitions, so that one worker sees both.

    \b
    quantwatch topics create --kafka kafka:9092 --feedback llm-feedback --replication 3
    """
    from services.stream.cluster import Cluster
    from services.stream.topics import create as make

    with closing(Cluster(kafka)) as cluster:
        made = make(cluster, wanted, replication)
    if as_json:
        print_json({"created": made})
        return
    for each in wanted:
        click.echo(f"{each.name}: {'made' if each.name in made else 'was there'}")


@command.command("check")
@kafka_option
@_wanted_topics
@json_option
def check(kafka: str, wanted: Sequence[Wanted], as_json: bool) -> None:
    """Hold the topics against what they should be. Ends with 1 if one is otherwise.

    \b
    quantwatch topics check --kafka kafka:9092 --feedback llm-feedback --partitions 24
    """
    from services.stream.cluster import Cluster
    from services.stream.topics import check as hold

    with closing(Cluster(kafka)) as cluster:
        problems = hold(cluster, wanted)
    if as_json:
        print_json({"problems": [{"topic": topic, "problem": said} for topic, said in problems]})
    else:
        for topic, said in problems:
            click.echo(f"{topic} {said}")
        if not problems:
            click.echo("all topics are as they should be")
    click.get_current_context().exit(1 if problems else 0)


def _wanted(
    requests: str,
    feedback: str | None,
    quarantined: str | None,
    partitions: int,
    retention: str,
    compression: str,
) -> Sequence[Wanted]:
    from services.stream.topics import Wanted

    try:
        kept = int(seconds(retention) * 1000)
    except ValueError as error:
        raise UsageError(f"--retention: {error}") from None
    names = [requests, *filter(None, (feedback, quarantined))]
    return [Wanted(name, 1 if name == quarantined else partitions, kept, compression) for name in names]
