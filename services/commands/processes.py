"""What the processes of the distributed mode have in common: loops, a place to ask for their health, and their end."""

from __future__ import annotations

import click
from sqlalchemy.engine import Engine

from services.commands.stopping import stop_on_signals
from services.errors import ServiceError
from services.healthserver import HealthServer
from services.loops import Loops
from services.ports import Clock


def run_until_stopped(loops: Loops, health: str | None, engine: Engine, clock: Clock) -> None:
    """Runs loops until a signal; `ServiceError` with the reason if one cannot go on. Called by the main thread."""
    server = HealthServer(health, engine, clock, loops.stuck) if health else None
    if server is not None:
        click.echo(f"health     http://{health}/v1/health/ready", err=True)
    stop_on_signals(loops.stop)
    try:
        loops.run()
    finally:
        if server is not None:
            server.close()
    if loops.problem:
        raise ServiceError(loops.problem)
