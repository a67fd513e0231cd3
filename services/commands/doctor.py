"""`quantwatch doctor`: would this installation find anything?"""

from __future__ import annotations

import logging
import sys

import click

from services.commands.options import db_option, json_option, plan_option, print_json
from services.commands.table import line
from services.doctor.result import Result, State

_BROKEN = 3


@click.command("doctor")
@click.option("--log", "logs", multiple=True, metavar="FILE", help="A sample of the log; may be given again.")
@click.option("--free", default=1.0, show_default=True, metavar="GIB", help="Room that there must be on the disks.")
@plan_option
@db_option
@json_option
def command(logs: tuple[str, ...], free: float, plan_file: str | None, db: str, as_json: bool) -> None:
    """Check the whole installation and say what to mend: database, plan, log, engines, and whether a planted fault is
    found.

    Twenty prompts of the log are replayed, in a throw-away store: the reference against itself must not alarm, and must
    fail once every twentieth answer is cut. Nothing is written to the database. Exits 0, or 3 if something failed.

    \b
    quantwatch doctor --plan quantwatch.yaml --log requests.jsonl
    """
    from services.doctor.doctor import Question, examine

    logging.basicConfig(level=logging.ERROR)
    results = []
    for result in examine(Question(plan_file, db, logs, free)):
        results.append(result)
        if not as_json:
            click.echo(_line(result))
    broken = [result for result in results if result.state is State.FAIL]
    if as_json:
        print_json({"ok": not broken, "checks": results})
    else:
        click.echo(_summary(results, broken))
    sys.exit(_BROKEN if broken else 0)


def _line(result: Result) -> str:
    mend = f"; mend: {result.mend}" if result.mend and result.state in (State.FAIL, State.WARN) else ""
    return line(f"{result.state:<4}  {result.check}: {result.reason}{mend}")


def _summary(results: list[Result], broken: list[Result]) -> str:
    warned = sum(result.state is State.WARN for result in results)
    if not broken:
        more = f", {warned} of them with a warning" if warned else ""
        return f"{len(results)} checks, none failed{more}"
    names = ", ".join(dict.fromkeys(result.check for result in broken))
    return f"{len(results)} checks, {len(broken)} failed; mend: {names}"
