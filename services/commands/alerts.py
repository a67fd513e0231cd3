"""`quantwatch alerts`: what is open, and saying that somebody looks after it."""

from __future__ import annotations

import getpass

import click
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from monitor.findings import clock as clock_text
from monitor.response.alerts import Ruling, State, Word
from services.commands.options import clock, db_option, json_option, print_json
from services.commands.table import table
from services.errors import UsageError
from services.store import alert_rows
from services.store.alerts import act
from services.store.commit import writing
from services.store.engine import open_engine, upgrade
from services.store.tables import alert


@click.group("alerts", invoke_without_command=True)
@click.option("--deployment")
@click.option("--state", type=click.Choice([str(state) for state in State]), help="Only alerts in this state.")
@click.option("--limit", default=50, show_default=True)
@db_option
@json_option
@click.pass_context
def command(
    context: click.Context, deployment: str | None, state: str | None, limit: int, db: str, as_json: bool
) -> None:
    """List alerts, newest first; or acknowledge or resolve one.

    \b
    quantwatch alerts --state open
    quantwatch alerts --db sqlite:///quantwatch.db acknowledge 1f0c9a7be2d34c55 --by ana
    """
    context.obj = engine = open_engine(db)
    upgrade(engine)
    if context.invoked_subcommand is not None:
        return
    where: list[sa.ColumnElement[bool]] = [alert.c.deployment == deployment] if deployment else []
    where += [alert_rows.in_state(State(state))] if state else []
    with engine.connect() as connection:
        found = alert_rows.read(connection, *where, limit=limit)
        silences = alert_rows.silences(connection, deployment)
    rows = [alert_rows.as_json(each, silences, clock()) for each in found]
    if as_json:
        print_json(rows)
        return
    cells = [(r["id"], str(r["state"]), r["kind"], clock_text(r["opened_at"]), r["sentence"]) for r in rows]
    click.echo(table(("id", "state", "kind", "opened", "what"), cells))


@command.command("acknowledge")
@click.argument("name", metavar="ID")
@click.option("--by", default=getpass.getuser, help="Who looks after it; default: you.")
@click.pass_obj
def acknowledge(engine: Engine, name: str, by: str) -> None:
    """Say that somebody looks after an alert."""
    _act(engine, name, Word.ACKNOWLEDGED, by, "acknowledged on the command line")


@command.command("resolve")
@click.argument("name", metavar="ID")
@click.option("--by", default=getpass.getuser, help="Who says so; default: you.")
@click.option("--reason", required=True, help="Why it is over.")
@click.pass_obj
def resolve(engine: Engine, name: str, by: str, reason: str) -> None:
    """Say that an alert is over; the same evidence does not open it again."""
    _act(engine, name, Word.RESOLVED, by, reason)


def _act(engine: Engine, name: str, word: Word, by: str, reason: str) -> None:
    with writing(engine) as connection, connection.begin():
        after = act(connection, name, word, by, reason, clock())
    if isinstance(after, Ruling):
        raise UsageError(after.reason)
    click.echo(f"{name}: {word}")
