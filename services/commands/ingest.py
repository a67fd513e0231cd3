"""`quantwatch ingest`: take JSONL files into the store."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from pathlib import Path

import click

from monitor.plan import Plan
from services.commands import dry_run
from services.commands.look import look_at
from services.commands.options import clock, db_option, json_option, plan_option, print_json
from services.ingest.extract import refuse_no_log
from services.ingest.jsonl import JsonlFile
from services.planfile import read_plan
from services.runtime import Ingestion, Summary
from services.store.engine import open_engine, upgrade
from services.store.retention import forget


@click.command("ingest")
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@plan_option
@db_option
@json_option
@click.option("--dry-run", "dry", is_flag=True, help="Read a sample, say what is in it, and write nothing.")
def command(files: tuple[str, ...], plan_file: str | None, db: str, as_json: bool, dry: bool) -> None:
    """Take JSONL files into the store. Can be stopped and run again: nothing counts twice.

    A line is a native event, or a request to OpenAI's API with its response; where a response does not say all, the
    plan's `input` does.

    \b
    quantwatch ingest requests.jsonl --dry-run
    quantwatch ingest requests.jsonl --db sqlite:///week.db
    quantwatch ingest day-*.jsonl --plan quantwatch.yaml --json
    """
    if dry:
        _look(files, read_plan(plan_file), as_json)
        return
    for name in files:
        refuse_no_log(Path(name))
    sources = [JsonlFile(Path(name), clock) for name in files]
    plan = read_plan(plan_file)
    engine = open_engine(db)
    upgrade(engine)
    ingestion = Ingestion(engine, plan, clock)
    total = Summary()
    with ExitStack() as opened:
        for source in sources:
            opened.callback(source.close)
        for source in sources:
            summary = _read(ingestion, source)
            ingestion.finish(source)
            total.accepted += summary.accepted
            total.duplicates += summary.duplicates
            total.quarantined.update(summary.quarantined)
    forget(engine, clock(), plan.keep)
    _report(total, as_json)


def _look(files: tuple[str, ...], plan: Plan, as_json: bool) -> None:
    """What would come of it; no database is opened."""
    look = look_at(files, plan)
    if as_json:
        print_json(dry_run.for_machines(look.files, look.survey))
    else:
        click.echo("\n\n".join(dry_run.for_people(look.files, look.survey)))


def _read(ingestion: Ingestion, source: JsonlFile) -> Summary:
    hidden = not sys.stderr.isatty()
    with click.progressbar(length=source.size, label=source.path.name, file=sys.stderr, hidden=hidden) as bar:
        return ingestion.read(source, lambda batch: bar.update(batch.end - bar.pos))


def _report(total: Summary, as_json: bool) -> None:
    reasons = dict(sorted(total.quarantined.items()))
    if as_json:
        print_json({"accepted": total.accepted, "duplicates": total.duplicates, "quarantined": reasons})
        return
    kept = sum(reasons.values())
    click.echo(f"accepted {total.accepted:,}, duplicates {total.duplicates:,}, quarantined {kept:,}")
    for reason, number in reasons.items():
        click.echo(f"  {reason}: {number:,}")
