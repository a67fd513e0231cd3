"""`quantwatch quarantine`: input that could not be taken."""

from __future__ import annotations

import click
import sqlalchemy as sa
from rich.table import Table
from rich.text import Text

from monitor.findings import clock as clock_text
from services.commands.options import console, db_option, json_option, print_json
from services.store import tables as t
from services.store.engine import open_engine, upgrade


@click.group("quarantine")
def command() -> None:
    """Look at input that could not be taken, with its position and the reason."""


@command.command("list")
@click.option("--reason", help="Only this reason.")
@click.option("--limit", default=50, show_default=True, help="How many, newest first.")
@db_option
@json_option
def list_(reason: str | None, limit: int, db: str, as_json: bool) -> None:
    """List quarantined records: where each lies and why it was not taken. Never prints their text.

    \b
    quantwatch quarantine list --reason not_json
    """
    engine = open_engine(db)
    upgrade(engine)
    q = t.quarantine.c
    wanted = sa.select(q.source, q.position, q.reason, q.detail, q.at).order_by(q.id.desc()).limit(limit)
    if reason:
        wanted = wanted.where(q.reason == reason)
    with engine.connect() as connection:
        rows = connection.execute(wanted).all()
    if as_json:
        print_json([row._asdict() | {"at": row.at / 1000} for row in rows])
        return
    table = Table("source", "position", "reason", "detail", "at", box=None)
    for row in rows:
        cells = (row.source, str(row.position), row.reason, row.detail, clock_text(row.at / 1000))
        table.add_row(*(Text(cell) for cell in cells))
    console().print(table)
