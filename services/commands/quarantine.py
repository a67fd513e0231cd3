"""`quantwatch quarantine`: input that could not be taken."""

from __future__ import annotations

from dataclasses import asdict

import click
import sqlalchemy as sa

from monitor.findings import clock as clock_text
from services.commands.options import clock, db_option, json_option, print_json
from services.commands.table import line, table
from services.errors import UsageError
from services.settings import settings
from services.store import gaps as stored_gaps
from services.store import quarantine as stored
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
    wanted = sa.select(q.id, q.source, q.position, q.reason, q.detail, q.at).order_by(q.id.desc()).limit(limit)
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
    cells = [(str(r.id), r.source, str(r.position), r.reason, r.detail, clock_text(r.at / 1000)) for r in rows]
    click.echo(table(("id", "source", "position", "reason", "detail", "at"), cells))


@command.command("show")
@click.argument("number", metavar="ID", type=int)
@db_option
@json_option
def show(number: int, db: str, as_json: bool) -> None:
    """Show one quarantined record, with its text if that is kept: it may be a user's.

    \b
    quantwatch quarantine show 17
    """
    engine = open_engine(db)
    upgrade(engine)
    with engine.connect() as connection:
        row = stored.one(connection, number)
    if row is None:
        raise UsageError(f"no record {number} is in quarantine")
    text = None if row.body is None else row.body.decode(errors="replace")
    key = None if row.key is None else row.key.decode(errors="replace")
    if as_json:
        print_json(asdict(row) | {"at": row.at / 1000, "key": key, "body": text})
        return
    said = {"source": row.source, "position": str(row.position), "reason": row.reason, "detail": row.detail}
    said |= {"at": clock_text(row.at / 1000)} | ({"key": key} if key is not None else {})
    click.echo(table(("field", "value"), list(said.items())))
    click.echo(f"\n{line(text)}" if text is not None else "\nits text is not kept")


@command.command("redrive")
@click.argument("numbers", metavar="[ID]...", nargs=-1, type=int)
@click.option("--reason", help="All of this reason.")
@click.option("--limit", default=1_000, show_default=True, help="How many at most, oldest first.")
@click.option("--kafka", metavar="HOST:PORT", default=lambda: settings().kafka, help="For records that came by Kafka.")
@db_option
@json_option
def redrive(
    numbers: tuple[int, ...], reason: str | None, limit: int, kafka: str | None, db: str, as_json: bool
) -> None:
    """Bring quarantined records in again: those of Kafka to their topic, others to the inbox.

    For what a wrong plan refused, or feedback that came before its request. Events keep their own times, so what is
    older than the plan's `lateness` by now is late again.

    \b
    quantwatch quarantine redrive --reason unknown_variant
    quantwatch quarantine redrive 17 18 --kafka kafka:9092
    """
    from services.stream.redrive import redrive as bring_in

    if not numbers and not reason:
        raise UsageError("say which: some ids, or a --reason")
    engine = open_engine(db)
    upgrade(engine)
    with engine.connect() as connection:
        rows = stored.kept(connection, reason, numbers, limit)
    went = bring_in(engine, clock, rows, kafka)
    if as_json:
        print_json({"redriven": sum(went.values()), "to": went})
        return
    where = "".join(f"\n  to {name}: {number:,}" for name, number in went.items())
    click.echo(f"brought in again: {sum(went.values()):,}{where}")


@command.command("gaps")
@click.option("--limit", default=50, show_default=True, help="How many, newest first.")
@db_option
@json_option
def gaps(limit: int, db: str, as_json: bool) -> None:
    """List gaps: what a log no longer held when it was to be read, from which byte (or offset) to which, and why.

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
