"""`quantwatch dispatch`: delivers notifications, in a process of its own."""

from __future__ import annotations

import threading

import click

from services.commands.options import db_option, health_option, plan_option
from services.commands.processes import begin, run_until_stopped


@click.command("dispatch")
@click.option("--every", default=1.0, show_default=True, metavar="SECONDS", help="Pause when nothing is due.")
@health_option
@plan_option
@db_option
def command(every: float, health: str | None, plan_file: str | None, db: str) -> None:
    """Deliver what the outbox holds to the plan's webhooks, until stopped: at least once, each with a key of its own.

    Several may run: each notification is one's at a time. With QUANTWATCH_HEARTBEAT set to a URL, it is asked for every
    minute, as long as every deployment was evaluated within two; whoever listens there cries when that ends.

    \b
    quantwatch dispatch --plan quantwatch.yaml --db postgresql://quantwatch@db/quantwatch
    """
    from services import rounds
    from services.bootstrap import destinations
    from services.loops import Loops

    plan, engine, clock = begin(plan_file, db)
    loops = Loops(threading.Event(), engine)
    rounds.dispatch(loops, engine, plan, clock, destinations(plan), every)
    run_until_stopped(loops, health, engine, clock)
