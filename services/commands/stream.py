"""`quantwatch stream`: takes the requests of a Kafka topic, in a process of its own."""

from __future__ import annotations

import threading

import click

from services.commands.kafka_options import feedback_option, kafka_option, requests_option
from services.commands.options import db_option, health_option, plan_option
from services.commands.processes import answering, begin
from services.commands.stopping import stop_on_signals


@click.command("stream")
@kafka_option
@requests_option
@feedback_option
@click.option("--quarantined", metavar="TOPIC", help="Topic that what cannot be taken is written to, as it came.")
@click.option("--group", default="quantwatch", show_default=True, help="Workers of one group share the partitions.")
@click.option("--reject-limit", default=1_000, show_default=True, help="Rejects in a row that stop it; 0 for none.")
@click.option("--skip-gaps", is_flag=True, help="Go on behind what Kafka no longer holds; it stays on record.")
@click.option(
    "--session", default=30.0, show_default=True, metavar="SECONDS", help="Silence after which others take over."
)
@health_option
@plan_option
@db_option
def command(
    kafka: str,
    requests: str,
    feedback: str | None,
    quarantined: str | None,
    group: str,
    reject_limit: int,
    skip_gaps: bool,
    session: float,
    health: str | None,
    plan_file: str | None,
    db: str,
) -> None:
    """Take the requests of a Kafka topic, and their feedback, until stopped.

    May be killed at any moment: the position in the database decides where it goes on, and nothing counts twice. Start
    as many as there are partitions, at most. A message is one event, a JSON array of them, or one a line.

    \b
    quantwatch stream --kafka kafka:9092 --requests llm-requests --plan quantwatch.yaml
    quantwatch stream --kafka kafka:9092 --requests llm-requests --feedback llm-feedback --health 127.0.0.1:8322
    """
    from services.stream.relay import Relay
    from services.stream.run import Stream
    from services.stream.settings import StreamSettings

    plan, engine, clock = begin(plan_file, db)
    settings = StreamSettings(
        kafka,
        requests,
        feedback,
        group=group,
        session_timeout=session,
        reject_limit=reject_limit,
        skip_gaps=skip_gaps,
    )
    stream = Stream(engine, plan, clock, settings)
    stop = threading.Event()
    stop_on_signals(stop)
    with answering(health, engine, clock, stream.worker.stuck):
        if quarantined:
            relay = Relay(engine, clock, kafka, quarantined)
            threading.Thread(target=relay.run, args=(stop,), name="relay", daemon=True).start()
        summary = stream.run(stop)
    kept = sum(summary.quarantined.values())
    click.echo(f"accepted {summary.accepted:,}, duplicates {summary.duplicates:,}, quarantined {kept:,}", err=True)
