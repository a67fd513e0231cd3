"""`quantwatch verdict`: may this build go on serving? The exit code says it: 0 pass, 1 fail, 2 hold, 3 no answer."""

from __future__ import annotations

import math
import sys
from datetime import UTC, datetime

import click
import msgspec
from sqlalchemy.engine import Engine

from monitor.findings import clock as clock_text
from monitor.model import Check, Decision, Verdict
from services.commands.options import clock, db_option, json_option, plan_option, print_json
from services.commands.table import table
from services.errors import UsageError
from services.evaluate import Evaluator
from services.planfile import read_plan
from services.standing import UNANSWERED, Question, standing
from services.store import queries
from services.store.clock import clock_of
from services.store.engine import open_engine, upgrade

CODES = {Decision.PASS: 0, Decision.FAIL: 1, Decision.HOLD: 2}


@click.command("verdict")
@click.argument("variant")
@click.option("--deployment", help="Needed only if two deployments have a variant of that name.")
@click.option("--as-of", "as_of", metavar="TIME|end", help="Judge the facts up to a time (RFC 3339), or all of them.")
@plan_option
@db_option
@json_option
def command(
    variant: str, deployment: str | None, as_of: str | None, plan_file: str | None, db: str, as_json: bool
) -> None:
    """Say pass, hold or fail for a variant, with the numbers. Exits 0 for pass, 1 fail, 2 hold, 3 no answer.

    \b
    quantwatch verdict shop-int4
    quantwatch verdict shop-int4 --db sqlite:///march.db --as-of end --json
    """
    plan = read_plan(plan_file)
    time = None if as_of in (None, "end") else _time(as_of or "")
    engine = open_engine(db)
    upgrade(engine)
    if as_of == "end":
        _refuse_early(engine)
    Evaluator(engine, plan, clock_of(engine)).look(as_of=time, everything=as_of == "end")
    asked = Question(variant, deployment, math.inf if as_of == "end" else time)
    with engine.connect() as connection:
        row = standing(connection, plan, asked, clock() / 1000)
    if row["reason"] in UNANSWERED or row["reason"].startswith("several"):
        raise UsageError(f"{row['reason']}: {variant}")
    print_json(row) if as_json else _show(msgspec.convert(row, Verdict))
    sys.exit(CODES[Decision(row["decision"])])


def _refuse_early(engine: Engine) -> None:
    """The end seals all pairs for good: not while some still wait for their answers."""
    with engine.connect() as connection:
        waiting = queries.replays_waiting(connection)
    if waiting:
        raise UsageError(
            f"{waiting:,} units still wait to be replayed, and --as-of end would judge without them for good: run "
            "`quantwatch shadow --until-empty` first, or ask without --as-of end"
        )


def _time(text: str) -> float:
    try:
        return datetime.fromisoformat(text).astimezone(UTC).timestamp()
    except ValueError:
        raise UsageError(f"--as-of {text!r} is no time; write one like 2026-11-24T10:00:00Z, or end") from None


def _show(verdict: Verdict) -> None:
    click.echo(f"{verdict.decision.upper()}  {verdict.variant} ({verdict.deployment}): {verdict.reason}")
    do = verdict.recommendation
    target = f" to {do.to}{'' if do.proven else ' (unproven)'}" if do.to else ""
    click.echo(f"do: {do.action.replace('_', ' ')}{target}: {do.reason}")
    until = "nothing" if verdict.sealed_until is None else clock_text(verdict.sealed_until)
    covered = verdict.coverage
    click.echo(f"sealed until {until}; {covered.get('pairs', 0)} pairs of {covered.get('units', 0)} units")
    if verdict.checks:
        head = ("slice", "signal", "decision", "pairs", "harm (points)", "tolerance", "needs")
        click.echo(table(head, [_row(check) for check in verdict.checks]))
    for finding in verdict.findings:
        click.echo(f"{finding.kind}: {finding.sentence}")
    if verdict.uncovered:
        click.echo("not covered: " + ", ".join(verdict.uncovered))
    for line in verdict.unwatched:
        reason, _, names = line.rpartition(": ")
        first, *rest = names.split(", ")
        click.echo(f"not watched against the past: {first}{f' and {len(rest)} more' if rest else ''}: {reason}")


def _row(check: Check) -> tuple[str, ...]:
    harm = "-" if check.harm.estimate is None else f"{check.harm.estimate * 100:+.1f}"
    if check.harm.lower is not None and check.harm.upper is not None:
        harm += f" ({check.harm.lower * 100:+.1f} to {check.harm.upper * 100:+.1f})"
    needs = "" if check.needs_pairs is None else f"{check.needs_pairs:,} more pairs"
    signal = f"{check.signal} ({check.direction})"
    return (check.slice, signal, check.decision.value, f"{check.pairs:,}", harm, f"{check.tolerance * 100:g}", needs)
