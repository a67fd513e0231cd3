"""`quantwatch plan init`: a commented first plan from a log."""

from __future__ import annotations

import click

from monitor.plan import Plan
from services.commands.look import look_at
from services.commands.options import plan_option
from services.errors import UsageError
from services.firstplan.write import first_plan
from services.planfile import read_plan


@click.command("init")
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@plan_option
def init(files: tuple[str, ...], plan_file: str | None) -> None:
    """Write a first plan for a log to standard output, with a comment wherever a person must decide.

    It names the builds that the log shows, suggests slices, and can be checked as it is. Of --plan only `input` counts:
    how the log's lines are read.

    \b
    quantwatch plan init requests.jsonl > quantwatch.yaml
    quantwatch plan init day-*.jsonl --plan mapping.yaml > quantwatch.yaml
    """
    rule = read_plan(plan_file).input
    look = look_at(files, Plan(input=rule))
    if not look.survey.requests:
        reasons = ", ".join(f"{reason} {count:,}" for reason, count in look.survey.refused.items())
        raise UsageError(f"{', '.join(files)}: no request can be read ({reasons}); ingest --dry-run shows more")
    click.echo(first_plan(look.extract, files, rule.mapping, look.survey.doubts), nl=False)
