"""`quantwatch api`: the API, in a process of its own."""

from __future__ import annotations

import socket
import threading

import click

from services.commands.options import db_option, plan_option
from services.commands.processes import begin, refuse_open_host
from services.commands.stopping import stop_on_signals
from services.errors import UsageError
from services.settings import settings


@click.command("api")
@click.option("--host", default="127.0.0.1", show_default=True, help="Another address needs QUANTWATCH_TOKEN.")
@click.option("--port", default=8321, show_default=True)
@plan_option
@db_option
def command(host: str, port: int, plan_file: str | None, db: str) -> None:
    """Answer for verdicts, alerts, series, pairs and metrics, and take events in, until stopped. Reads the ledger only.

    Any number may run behind a load balancer. What comes in at /v1/events is taken by the process that reads the inbox
    (`quantwatch up`, or `quantwatch intake`).

    \b
    quantwatch api --plan quantwatch.yaml --db postgresql://quantwatch@db/quantwatch
    QUANTWATCH_TOKEN=... quantwatch api --host 0.0.0.0
    """
    import uvicorn

    from services.api.app import create_app

    refuse_open_host(host)
    plan, engine, _ = begin(plan_file, db)
    app = create_app(engine, plan, token=settings().token)
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", access_log=False))
    place = _listen(host, port)
    click.echo(f"api        http://{host}:{port}", err=True)
    stop = threading.Event()

    def serve() -> None:
        try:
            server.run(sockets=[place])
        finally:
            stop.set()

    # In a thread, so that signals are ours: its own handler would end the process by the signal.
    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    stop_on_signals(stop)
    stop.wait()
    server.should_exit = True
    thread.join(timeout=10)


def _listen(host: str, port: int) -> socket.socket:
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return socket.create_server((host, port), family=family)
    except OSError as error:
        raise UsageError(f"the API cannot listen on {host}:{port}: {error.strerror}") from None
