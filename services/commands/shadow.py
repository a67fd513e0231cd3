"""`quantwatch shadow`: replay sampled units, in a process of its own."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path

import click

from services.bootstrap import shadow_worker
from services.commands.options import clock, db_option, plan_option
from services.planfile import read_plan
from services.store.engine import open_engine, upgrade


@click.command("shadow")
@plan_option
@db_option
def command(plan_file: str | None, db: str) -> None:
    """Replay what was sampled, through the reference and the deployed build, until stopped.

    May be killed at any moment: what it held is leased again. `quantwatch up` starts one by itself.

    \b
    quantwatch shadow --plan quantwatch.yaml --db sqlite:///quantwatch.db
    """
    plan = read_plan(plan_file)
    engine = open_engine(db)
    upgrade(engine)
    base = Path(plan_file).parent if plan_file else Path()
    worker = shadow_worker(engine, plan, clock, base, name=f"shadow-{os.getpid()}")
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    worker.run(stop)
