"""`quantwatch up`: everything as one service on this machine."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import click

from monitor.plan import Plan
from services.commands.kafka_options import feedback_option
from services.commands.options import db_option, plan_option
from services.commands.processes import begin, refuse_open_host
from services.commands.stopping import stop_on_signals
from services.errors import ServiceError
from services.ingest.folder import folders
from services.planfile import DEFAULT_FILE
from services.settings import settings


@click.command("up")
@click.option("--tail", "logs", multiple=True, metavar="PATH", help="Logs to follow; may be given again.")
@click.option("--kafka", metavar="HOST:PORT", help="Take the requests of a topic of this Kafka, too.")
@click.option("--requests", metavar="TOPIC", default="llm-requests", show_default=True, help="Topic of requests.")
@feedback_option
@click.option("--host", default="127.0.0.1", show_default=True, help="Another address needs QUANTWATCH_TOKEN.")
@click.option("--port", default=8321, show_default=True, help="Port of the API.")
@click.option("--dashboard-port", default=8501, show_default=True, help="Port of the dashboard; 0 for none.")
@click.option("--shadow/--no-shadow", default=True, help="Start the shadow worker, if the plan has arms to replay on.")
@plan_option
@db_option
def command(
    logs: tuple[str, ...],
    kafka: str | None,
    requests: str,
    feedback: str | None,
    host: str,
    port: int,
    dashboard_port: int,
    shadow: bool,
    plan_file: str | None,
    db: str,
) -> None:
    """Run intake, evaluator, API, alerts, shadow worker, stream worker and dashboard, until stopped.

    \b
    quantwatch up --plan quantwatch.yaml --tail /var/log/llm
    quantwatch up --tail /var/log/llm/requests.jsonl --tail '/srv/llm/chat-*.json'
    quantwatch up --kafka kafka:9092 --requests llm-requests --db postgresql://quantwatch@db/quantwatch
    QUANTWATCH_TOKEN=... quantwatch up --host 0.0.0.0

    PATH is a folder, a file or a pattern. Of a folder all *.jsonl, *.ndjson and *.log files are followed, not the
    folders inside. All are followed through rotation: renamed, compressed (.gz, .bz2, .xz) or cut.
    """
    from services.embedded import Address, Beside, Embedded, command_line

    refuse_open_host(host)
    follow = folders(logs)
    plan, engine, clock = begin(plan_file, db)
    service = Embedded(engine, plan, clock, follow, settings().token, Address(host, port))
    plan_path = Path(plan_file or DEFAULT_FILE) if not plan.open else None
    beside = [Beside(command_line("shadow", plan_path, db))] if shadow and _has_arms(plan) else []
    if kafka:
        topics = ["--kafka", kafka, "--requests", requests, *(["--feedback", feedback] if feedback else [])]
        beside.append(Beside([*command_line("stream", plan_path, db), *topics]))
        click.echo(f"takes      {requests} of Kafka at {kafka}", err=True)
    if dashboard_port and _installed("streamlit"):
        api = f"http://127.0.0.1:{port}"
        beside.append(Beside([sys.executable, "-m", "dashboard", str(dashboard_port), api]))
        click.echo(f"dashboard  http://127.0.0.1:{dashboard_port}", err=True)
    click.echo(f"api        http://{host}:{port}", err=True)
    for folder in follow:
        found = len(folder.names())
        click.echo(f"follows    {folder.path}: {found} {'file' if found == 1 else 'files'} now", err=True)
    stop_on_signals(service.stop)
    try:
        service.run()
    finally:
        for process in beside:
            process.close()
    if service.problem:
        raise ServiceError(service.problem)


def _has_arms(plan: Plan) -> bool:
    return any(v.arm is not None for rule in plan.deployments.values() for v in rule.variants.values())


def _installed(module: str) -> bool:
    return importlib.util.find_spec(module) is not None
