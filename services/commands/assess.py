"""`quantwatch assess`: the evaluator, in a process of its own."""

from __future__ import annotations

import threading

import click
from sqlalchemy.engine import Engine

from monitor.plan import Plan, seconds
from services.commands.options import db_option, health_option, plan_option
from services.commands.processes import run_until_stopped
from services.logs import set_up
from services.planfile import read_plan
from services.settings import settings
from services.store.engine import open_engine, upgrade

_FORGET_EVERY = 60.0
_PREPARE_EVERY = 3_600.0


@click.command("assess")
@click.option("--every", default=1.0, show_default=True, metavar="SECONDS", help="Pause between two rounds.")
@health_option
@plan_option
@db_option
def command(every: float, health: str | None, plan_file: str | None, db: str) -> None:
    """Seal buckets and judge them, again and again: looks, alerts and notifications to be sent, until stopped.

    Start a second one as a standby: whoever has a deployment's turn evaluates it, the other takes over within seconds.
    On PostgreSQL it also keeps partitions ahead of time.

    \b
    quantwatch assess --plan quantwatch.yaml --db postgresql://quantwatch@db/quantwatch
    quantwatch assess --every 5 --health 127.0.0.1:8322
    """
    from services.bootstrap import destinations
    from services.evaluate import Evaluator
    from services.loops import Loops
    from services.store.clock import clock_of
    from services.store.retention import forget

    set_up(settings().json_logs)
    plan = read_plan(plan_file)
    engine = open_engine(db)
    upgrade(engine)
    clock = clock_of(engine)
    evaluator = Evaluator(engine, plan, clock, tuple(destinations(plan)))
    loops = Loops(threading.Event(), engine)
    loops.every(every, "evaluation", evaluator.look)
    loops.every(_FORGET_EVERY, "retention", lambda: forget(engine, clock(), plan.keep))
    loops.every(_PREPARE_EVERY, "partitions", lambda: prepare_partitions(engine, plan, clock()))
    run_until_stopped(loops, health, engine, clock)


def prepare_partitions(engine: Engine, plan: Plan, now: int) -> None:
    """The partitions of all deployments that the plan names."""
    from services.store.partitions import prepare

    prepare(engine, {name: int(seconds(rule.bucket) * 1000) for name, rule in plan.deployments.items()}, now)
