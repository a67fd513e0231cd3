"""`quantwatch intake`: takes what came in over HTTP, in a process of its own."""

from __future__ import annotations

import threading

import click

from services.commands.options import db_option, health_option, plan_option
from services.commands.processes import begin, run_until_stopped


@click.command("intake")
@click.option("--every", default=0.5, show_default=True, metavar="SECONDS", help="Pause when the inbox is empty.")
@health_option
@plan_option
@db_option
def command(every: float, health: str | None, plan_file: str | None, db: str) -> None:
    """Take the records that `quantwatch api` stored, until stopped.

    The inbox is one source with one position: a second process is a standby, whose commits are refused while the first
    one works. `quantwatch up` takes the inbox itself.

    \b
    quantwatch intake --plan quantwatch.yaml --db postgresql://quantwatch@db/quantwatch
    """
    from services.ingest.inbox import Inbox
    from services.loops import Loops
    from services.runtime import Ingestion

    plan, engine, clock = begin(plan_file, db)
    ingestion, inbox = Ingestion(engine, plan, clock), Inbox(engine, clock)
    loops = Loops(threading.Event(), engine)
    loops.every(every, "intake", lambda: ingestion.read(inbox))
    run_until_stopped(loops, health, engine, clock)
