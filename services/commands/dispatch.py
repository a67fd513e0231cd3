"""`quantwatch dispatch`: delivers notifications, in a process of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable

import click

from services.commands.options import db_option, health_option, plan_option
from services.commands.processes import run_until_stopped
from services.logs import set_up
from services.planfile import read_plan
from services.settings import settings
from services.store.engine import open_engine, upgrade

_BEAT_EVERY = 60.0


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
    from services.bootstrap import destinations
    from services.loops import Loops
    from services.outbound.dispatcher import dispatch_due
    from services.outbound.heartbeat import Heartbeat
    from services.store.clock import clock_of

    set_up(settings().json_logs)
    plan = read_plan(plan_file)
    engine = open_engine(db)
    upgrade(engine)
    clock = clock_of(engine)
    known = destinations(plan)
    loops = Loops(threading.Event(), engine)
    loops.every(every, "dispatch", _until_none(lambda: dispatch_due(engine, known, clock() / 1000), loops.stop))
    if url := settings().heartbeat:
        loops.every(_BEAT_EVERY, "heartbeat", Heartbeat(engine, plan, clock, url).beat)
    run_until_stopped(loops, health, engine, clock)


def _until_none(deliver: Callable[[], int], stop: threading.Event) -> Callable[[], None]:
    """Goes on at once as long as something was delivered."""

    def work() -> None:
        while deliver() and not stop.is_set():
            pass

    return work
