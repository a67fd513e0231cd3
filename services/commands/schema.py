"""`quantwatch schema`: the JSON Schema of a wire record."""

from __future__ import annotations

import click
import msgspec

from monitor.wire import schema


@click.command("schema")
@click.argument("record", type=click.Choice(["event", "score", "feedback"]))
def command(record: str) -> None:
    """Print the JSON Schema of what quantwatch takes.

    \b
    quantwatch schema event > event.schema.json
    """
    click.echo(msgspec.json.format(msgspec.json.encode(schema(record)), indent=2).decode())
