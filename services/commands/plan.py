"""`quantwatch plan`: what is watched."""

from __future__ import annotations

import click

from monitor.evidence.budget import lines
from monitor.gate import gating_checks
from monitor.plan import Plan
from monitor.watch import Watch
from monitor.watched import budget
from services.commands import forecast
from services.commands.options import json_option, print_json
from services.commands.plan_init import init
from services.planfile import read_plan


@click.group("plan")
def command() -> None:
    """Look at a plan without starting anything."""


command.add_command(init)


@command.command("check")
@click.argument("file", metavar="FILE")
@click.option("--log", "logs", multiple=True, metavar="SAMPLE", help="Forecast from this log; may be given again.")
@json_option
def check(file: str, logs: tuple[str, ...], as_json: bool) -> None:
    """Say whether a plan is right; if not, the line, the key and what is allowed.

    With a sample of the log it also says how long each gating check takes to pass or to fail on that traffic, what the
    shadow costs a day, and what would help a check that is never decided.

    \b
    quantwatch plan check quantwatch.yaml
    quantwatch plan check quantwatch.yaml --log requests.jsonl
    """
    plan = read_plan(file)
    found = forecast.forecast_of(plan, logs) if logs else None
    if as_json:
        print_json({"plan": plan.digest, "forecast": None if found is None else forecast.as_json(*found)})
        return
    click.echo(f"the plan is right ({plan.digest})")
    for name in plan.deployments:
        _describe(name, plan)
    if found is not None:
        forecast.show(*found)


def _describe(name: str, plan: Plan) -> None:
    """What the words of the plan become, in numbers."""
    watch = Watch(name, plan)
    click.echo(f"deployment {name}: {len(watch.rule.variants)} variants, reference {watch.rule.reference or 'none'}")
    click.echo(f"  slices: {', '.join(watch.slicer.names)}")
    gates = sorted({signal for _, signal, _ in gating_checks(watch)})
    tolerances = ", ".join(f"{signal} (tolerance {watch.signal_rule(signal).tolerance:g})" for signal in gates)
    click.echo(f"  gating signals: {tolerances}")
    for variant, rule in watch.rule.variants.items():
        if rule.control is not None:
            click.echo(f"  {variant} is held against {rule.control}, which serves beside it")
    for line in lines(watch.rule.budget, budget(watch), watch.width / 1000):
        click.echo(f"  {line}")
    if plan.text == "none" and watch.rule.reference:
        click.echo("  text: none, so nothing can be replayed: only imported pairs are compared")
