"""`quantwatch quarantine`: input that could not be taken."""

from __future__ import annotations

import click
import sqlalchemy as sa

from monitor.findings import clock as clock_text
from services.commands.options import db_option, json_option, print_json
from services.commands.table import table
from services.store import gaps as stored_gaps
from services.store import tables as t
from services.store.engine import open_engine, upgrade


@click.group("quarantine")
def command() -> None:
    """Look at input that could not be taken, or was no longer there, with its position and the reason."""


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
        missing = stored_gaps.count(connection)
    if missing:
        click.echo(f"gaps: {missing:,}, see `quantwatch quarantine gaps`", err=True)
    if as_json:
        print_json([row._asdict() | {"at": row.at / 1000} for row in rows])
        return
    cells = [(r.source, str(r.position), r.reason, r.detail, clock_text(r.at / 1000)) for r in rows]
    click.echo(table(("source", "position", "reason", "detail", "at"), cells))


@command.command("gaps")
@click.option("--limit", default=50, show_default=True, help="How many, newest first.")
@db_option
@json_option
def gaps(limit: int, db: str, as_json: bool) -> None:
    """List gaps: what a log no longer held when it was to be read, from which byte to which, and why.

    Where nobody knows how much is missing, or whether anything is, `until` is empty.

    \b
    quantwatch quarantine gaps
    """
    engine = open_engine(db)
    upgrade(engine)
    with engine.connect() as connection:
        rows = stored_gaps.gaps(connection, limit)
    if as_json:
        print_json([row._asdict() | {"at": row.at / 1000} for row in rows])
        return
    cells = [
        (r.source, str(r.position), "" if r.until is None else str(r.until), r.reason, clock_text(r.at / 1000))
        for r in rows
    ]
    click.echo(table(("source", "position", "until", "reason", "at"), cells))
