"""`quantwatch plan`: what is watched."""

from __future__ import annotations

import click

from monitor.assess import budget
from monitor.evidence.budget import lines
from monitor.gate import gating_checks
from monitor.plan import Plan
from monitor.watch import Watch
from services.planfile import read_plan


@click.group("plan")
def command() -> None:
    """Look at a plan without starting anything."""


@command.command("check")
@click.argument("file", metavar="FILE")
def check(file: str) -> None:
    """Say whether a plan is right; if not, the line, the key and what is allowed.

    \b
    quantwatch plan check quantwatch.yaml
    """
    plan = read_plan(file)
    click.echo(f"the plan is right ({plan.digest})")
    for name in plan.deployments:
        _describe(name, plan)


def _describe(name: str, plan: Plan) -> None:
    """What the words of the plan become, in numbers."""
    watch = Watch(name, plan)
    click.echo(f"deployment {name}: {len(watch.rule.variants)} variants, reference {watch.rule.reference or 'none'}")
    click.echo(f"  slices: {', '.join(watch.slicer.names)}")
    gates = sorted({signal for _, signal, _ in gating_checks(watch)})
    tolerances = ", ".join(f"{signal} (tolerance {watch.signal_rule(signal).tolerance:g})" for signal in gates)
    click.echo(f"  gating signals: {tolerances}")
    for line in lines(watch.rule.budget, budget(watch), watch.width / 1000):
        click.echo(f"  {line}")
    if plan.text == "none" and watch.rule.reference:
        click.echo("  text: none, so nothing can be replayed: only imported pairs are compared")
