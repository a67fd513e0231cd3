"""`quantwatch facts`: sealed counts, for people and for comparing two stores."""

from __future__ import annotations

import click
import sqlalchemy as sa

from monitor.facts import decode_layout, unpack_counts
from services.commands.options import db_option, json_option, plan_option, print_json
from services.evaluate import Evaluator
from services.planfile import read_plan
from services.store import tables as t
from services.store.clock import clock_of
from services.store.engine import open_engine, upgrade


@click.command("facts")
@click.option("--deployment")
@click.option("--variant")
@click.option("--slice", "slice_name")
@click.option("--signal")
@click.option("--population", type=click.Choice(["all", "unit", "pair"]))
@click.option("--seal", is_flag=True, help="Seal everything that is there first.")
@plan_option
@db_option
@json_option
def command(
    deployment: str | None,
    variant: str | None,
    slice_name: str | None,
    signal: str | None,
    population: str | None,
    seal: bool,
    plan_file: str | None,
    db: str,
    as_json: bool,
) -> None:
    """Print sealed facts, one line a row, in the order of their keys.

    \b
    quantwatch facts --variant shop-int4 --signal schema --population unit
    """
    engine = open_engine(db)
    upgrade(engine)
    if seal:
        Evaluator(engine, read_plan(plan_file), clock_of(engine)).look(everything=True)
    given = {
        "deployment": deployment,
        "variant": variant,
        "slice": slice_name,
        "signal": signal,
        "population": population,
    }
    where = [t.fact.c[name] == value for name, value in given.items() if value is not None]
    with engine.connect() as connection:
        names = _cell_names(connection)
        for row in connection.execute(sa.select(t.fact).where(*where).order_by(*t.fact.primary_key.columns)):
            counts = unpack_counts(row.counts)
            cells = names.get(row.definition.split(".")[0], tuple(map(str, range(len(counts)))))
            found = {cells[i]: int(counts[i]) for i in counts.nonzero()[0]}
            key = {column.name: getattr(row, column.name) for column in t.fact.primary_key.columns}
            if as_json:
                print_json(key | {"counts": found})
            else:
                line = " ".join(str(value) for name, value in key.items() if name != "definition")
                click.echo(line + "  " + " ".join(f"{cell}={n}" for cell, n in found.items()))


def _cell_names(connection: sa.Connection) -> dict[str, tuple[str, ...]]:
    """The cells of every stored definition, by its digest."""
    layouts = [decode_layout(body) for body in connection.scalars(sa.select(t.layout.c.body))]
    return {definition.digest: definition.cells for layout in layouts for definition in layout.definitions}
