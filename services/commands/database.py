"""`quantwatch db`: the store's schema."""

from __future__ import annotations

import click

from services.commands.options import db_option
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
