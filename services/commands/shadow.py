"""`quantwatch shadow`: replay sampled units, in a process of its own."""

from __future__ import annotations

import os
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import click
from sqlalchemy.engine import Connection, Engine

from services.bootstrap import shadow_worker
from services.commands.options import db_option, health_option, plan_option
from services.commands.processes import answering, begin
from services.commands.stopping import stop_on_signals
from services.ports import Clock
from services.store.queries import replays_failed, replays_waiting

_WAITS = "an engine does not answer, a day's limit is spent, or another worker has them"


@click.command("shadow")
@click.option("--until-empty", is_flag=True, help="End once no unit waits any more, and say how many were replayed.")
@health_option
@plan_option
@db_option
def command(until_empty: bool, health: str | None, plan_file: str | None, db: str) -> None:
    """Replay what was sampled, through the reference and the deployed build, until stopped.

    May be killed at any moment: what it held is leased again. Several share the queue. `quantwatch up` starts one.

    \b
    quantwatch shadow --plan quantwatch.yaml --db postgresql://quantwatch@db/quantwatch
    quantwatch shadow --until-empty
    """
    plan, engine, clock = begin(plan_file, db)
    base = Path(plan_file).parent if plan_file else Path()
    worker = shadow_worker(engine, plan, clock, base, name=f"shadow-{socket.gethostname()}-{os.getpid()}")
    stop = threading.Event()
    stop_on_signals(stop)
    if not until_empty:
        with _healthy(health, engine, clock, worker.lease) as after:
            worker.run(stop, after)
        return
    with _counted(engine, stop) as after:
        worker.run(stop, after)


@contextmanager
def _healthy(health: str | None, engine: Engine, clock: Clock, lease: float) -> Iterator[Callable[[bool], None]]:
    """Answers for health meanwhile: stuck is who has been at one batch for longer than it may hold it."""
    ended = time.monotonic()

    def after(_: bool) -> None:
        nonlocal ended
        ended = time.monotonic()

    def stuck() -> str | None:
        seconds = time.monotonic() - ended
        return f"it has been at one batch for {seconds:.0f} s" if seconds > 2 * lease else None

    with answering(health, engine, clock, stuck):
        yield after


@contextmanager
def _counted(engine: Engine, stop: threading.Event) -> Iterator[Callable[[bool], None]]:
    """What is to be done after each batch so that `stop` is set once nothing waits; at its end, what became of it."""
    total, failed = _count(engine, replays_waiting), _count(engine, replays_failed)
    hidden = not sys.stderr.isatty()
    with click.progressbar(length=total, label="replays", file=sys.stderr, hidden=hidden) as bar:
        told = None

        def after(idle: bool) -> None:
            nonlocal told
            left = _count(engine, replays_waiting)
            bar.update(total - left - bar.pos)
            if not left:
                stop.set()
            elif idle and left != told:
                told = left
                click.echo(f"{left:,} units wait: {_WAITS}", err=True)

        yield after
    left, lost = _count(engine, replays_waiting), _count(engine, replays_failed) - failed
    click.echo(_summary(total - left - lost, lost, left) if total else "nothing waits to be replayed")


def _summary(replayed: int, lost: int, left: int) -> str:
    failed = f", {lost:,} failed (`quantwatch quarantine list --reason replay_failed`)" if lost else ""
    return f"replayed {replayed:,} units{failed}{f', {left:,} still wait' if left else ''}"


def _count(engine: Engine, of: Callable[[Connection], int]) -> int:
    with engine.connect() as connection:
        return of(connection)
