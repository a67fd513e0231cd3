"""`quantwatch assess`: the evaluator, in a process of its own."""

from __future__ import annotations

import threading

import click

from services.commands.options import db_option, health_option, plan_option
from services.commands.processes import begin, run_until_stopped


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
    from services import rounds
    from services.bootstrap import destinations
    from services.evaluate import Evaluator
    from services.loops import Loops

    plan, engine, clock = begin(plan_file, db)
    evaluator = Evaluator(engine, plan, clock, tuple(destinations(plan)))
    loops = Loops(threading.Event(), engine)
    rounds.evaluate(loops, engine, plan, clock, evaluator.look, every)
    run_until_stopped(loops, health, engine, clock)
