"""What the processes of the distributed mode have in common: their beginning, a place to ask for health, their end."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

import click
from sqlalchemy.engine import Engine

from monitor.plan import Plan
from services.commands.stopping import stop_on_signals
from services.errors import ServiceError, UsageError
from services.healthserver import HealthServer
from services.logs import set_up
from services.loops import Loops
from services.planfile import read_plan
from services.ports import Clock
from services.settings import settings
from services.store.clock import clock_of
from services.store.engine import open_engine, upgrade

_LOCAL = ("127.0.0.1", "localhost", "::1")


class Begun(NamedTuple):
    """What a process works with: its plan, its store with the newest schema, and the store's clock."""

    plan: Plan
    engine: Engine
    clock: Clock


def begin(plan_file: str | None, db: str) -> Begun:
    """Sets the log up, reads the plan and opens the store."""
    set_up(settings().json_logs)
    plan = read_plan(plan_file)
    engine = open_engine(db)
    upgrade(engine)
    return Begun(plan, engine, clock_of(engine))


def refuse_open_host(host: str) -> None:
    """Raises `UsageError` for an address that others can reach, unless they need a token."""
    if host not in _LOCAL and not settings().token:
        raise UsageError(f"--host {host} is not local: set QUANTWATCH_TOKEN first")


@contextmanager
def answering(health: str | None, engine: Engine, clock: Clock, stuck: Callable[[], str | None]) -> Iterator[None]:
    """Answers for health at this address meanwhile, if there is one."""
    server = HealthServer(health, engine, clock, stuck) if health else None
    try:
        yield
    finally:
        if server is not None:
            server.close()


def run_until_stopped(loops: Loops, health: str | None, engine: Engine, clock: Clock) -> None:
    """Runs loops until a signal; `ServiceError` with the reason if one cannot go on. Called by the main thread."""
    with answering(health, engine, clock, loops.stuck):
        if health:
            click.echo(f"health     http://{health}/v1/health/ready", err=True)
        stop_on_signals(loops.stop)
        loops.run()
    if loops.problem:
        raise ServiceError(loops.problem)
