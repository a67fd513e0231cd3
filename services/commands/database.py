"""`quantwatch db`: the store's schema, and what is done about its size."""

from __future__ import annotations

import click

from monitor.plan import seconds
from services.commands.options import db_option, plan_option
from services.errors import UsageError
from services.planfile import read_plan
from services.store.clock import clock_of
from services.store.engine import open_engine, upgrade


@click.group("db")
def command() -> None:
    """Look after the database."""


@command.command("upgrade")
@db_option
def db_upgrade(db: str) -> None:
    """Bring the database's schema to the newest version.

    \b
    quantwatch db upgrade --db sqlite:///quantwatch.db
    """
    upgrade(open_engine(db))
    click.echo("the database is at the newest version", err=True)


@command.command("tidy")
@click.option("--coarsen-after", metavar="AGE", help="Merge counts of all requests that are older, such as 30d.")
@click.option("--to", "wide", default="1h", show_default=True, metavar="WIDTH", help="Over how long they are merged.")
@click.option("--forget-after", metavar="AGE", help="Forget the facts of builds that have not served for so long.")
@plan_option
@db_option
def tidy(coarsen_after: str | None, wide: str, forget_after: str | None, plan_file: str | None, db: str) -> None:
    """Make a store smaller: a job for every night. No evidence changes, and verdicts and alerts stay.

    Merged are counts of all requests, which are for display; units and pairs stay as they were sealed. Forgotten are
    whole builds that are out of service. Texts, ids and tails are forgotten by the running service itself.

    \b
    quantwatch db tidy --coarsen-after 30d --to 1h --forget-after 400d
    """
    from services.store.coarsening import coarsen
    from services.store.partitions import drop_empty
    from services.store.retention import forget, forget_builds

    plan = read_plan(plan_file)
    engine = open_engine(db)
    upgrade(engine)
    now = clock_of(engine)()
    widths = plan.widths
    for name, width in widths.items():
        if forget_after is not None:
            rows = forget_builds(engine, name, (now - _age("--forget-after", forget_after)) // width)
            click.echo(f"{name}: forgot {rows:,} rows of builds out of service")
        if coarsen_after is not None:
            before = (now - _age("--coarsen-after", coarsen_after)) // width
            rows = coarsen(engine, name, _age("--to", wide) // width, before)
            click.echo(f"{name}: merged {rows:,} rows into others")
    forget(engine, now, plan.keep)
    if dropped := drop_empty(engine, widths, now):
        click.echo(f"dropped {len(dropped):,} empty partitions")


def _age(option: str, text: str) -> int:
    """Milliseconds of an age."""
    try:
        return int(seconds(text) * 1000)
    except ValueError as error:
        raise UsageError(f"{option}: {error}") from None
