"""The forecast of `plan check --log`: read a sample, say how long each check takes, and what would help."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import click
import msgspec

from monitor.forecast.advice import Advice
from monitor.forecast.assumed import FEW, MANY, USUAL
from monitor.forecast.load import Load
from monitor.forecast.outlook import CheckOutlook, Outlook
from monitor.forecast.waits import LIMIT, TWICE, Wait
from monitor.plan import Plan
from services.commands.options import clock
from services.commands.table import table
from services.errors import UsageError
from services.forecast import DeploymentForecast, Sample, forecast, read_sample
from services.ingest.extract import refuse_no_text
from services.ingest.jsonl import JsonlFile

ASSUMED = (
    f"assumed of pairs not yet seen: to {USUAL:.0%} of the requests both builds answer independently, as the log shows "
    f"one, to the rest alike (for the range {FEW:.0%} to {MANY:.0%}; real pairs had 2% at 8 bits, 20% at 4)"
)
HEAD = ("slice", "signal", "tolerance", "in the log", "pairs an hour", "passes, if harmless", "fails, at twice")


def forecast_of(plan: Plan, files: Sequence[str]) -> tuple[Sample, tuple[DeploymentForecast, ...]]:
    """The forecast from these files; refuses a log in which nothing is of this plan's deployments."""
    if plan.open:
        raise UsageError("the plan names no deployment, so there is nothing to forecast")
    for name in files:
        refuse_no_text(Path(name))
    with ExitStack() as opened:
        sources = [opened.enter_context(closing(JsonlFile(Path(name), clock))) for name in files]
        sample = read_sample(plan, sources)
    if not sample.accepted:
        why = ", ".join(f"{reason}: {number:,}" for reason, number in sample.refused.most_common(3))
        raise UsageError(f"{', '.join(files)}: no record of this plan's deployments ({why or 'it is empty'})")
    return sample, forecast(plan, sample)


def as_json(sample: Sample, found: Sequence[DeploymentForecast]) -> dict[str, Any]:
    """The forecast for machines; waits in hours, null for not within 30 days."""
    assumed = {"independent": USUAL, "few": FEW, "many": MANY, "harm_in_tolerances": TWICE, "limit_hours": LIMIT}
    return {
        "accepted": sample.accepted,
        "quarantined": dict(sorted(sample.refused.items())),
        "assumed": assumed,
        "deployments": [_deployment_json(each) for each in found],
    }


def _deployment_json(found: DeploymentForecast) -> dict[str, Any]:
    body: dict[str, Any] = msgspec.to_builtins(found)
    for written, known in zip(body["variants"], found.variants, strict=True):
        written |= {"passes": known.passes, "fails": known.fails}
    return body


def show(sample: Sample, found: Sequence[DeploymentForecast]) -> None:
    """The forecast for people."""
    refused = sum(sample.refused.values())
    click.echo(f"read from the log: {sample.accepted:,} requests{f', {refused:,} not taken' if refused else ''}")
    click.echo(ASSUMED)
    for deployment in found:
        click.echo(f"\ndeployment {deployment.deployment}")
        for line in _lines(deployment):
            click.echo(line)


def _lines(found: DeploymentForecast) -> Iterator[str]:
    if found.problem:
        yield f"  no forecast: {found.problem}"
        return
    if not found.arms:
        yield "  the reference has no `arm` in the plan, so nothing is replayed; what follows is as if it had one"
    for load in found.loads:
        yield "  " + _load(load, guessed=found.guessed_tokens)
    for variant in found.variants:
        yield ""
        yield from _variant(variant)


def _load(load: Load, *, guessed: bool) -> str:
    about = "about " if guessed else ""
    tokens = f"{about}{_short(load.prompt_tokens)} tokens in and {_short(load.answer_tokens)} out"
    cost = "" if load.cost is None else f", {load.cost:,.2f} a day"
    short = "" if load.allowed >= 1 else f"; its daily limits allow {load.allowed:.0%} of that"
    return f"shadow, {load.arm}: {_short(load.replays)} replays a day, {tokens}{cost}{short}"


def _variant(found: Outlook) -> Iterator[str]:
    name = found.variant if found.own else f"{found.variant} (not in the log: as if it served all of it)"
    yield f"{name}: {_rate(found.units_per_hour)} units and {_rate(found.pairs_per_hour)} pairs an hour"
    for reason, number in found.refusals.items():
        yield f"  {number / found.units:.0%} of the units cannot be replayed: {reason}"
    if not found.checks:
        yield "  no gating check applies to any of them"
        return
    yield table(HEAD, [_row(check) for check in found.checks])
    yield from _first(found)
    for check in found.checks:
        yield from _open(check)
    if found.silent:
        names = ", ".join(dict.fromkeys(found.silent))
        yield f"  never decided, as their signal applies to nothing in the log: {names}"


def _first(found: Outlook) -> Iterator[str]:
    passed = "no pass within 30 days" if found.passes is None else f"a pass after {_hours(found.passes)}"
    failed = "no fail within 30 days" if found.fails is None else f"a fail after {_hours(found.fails)} at the earliest"
    yield f"  the first verdict: {passed}, or {failed}"


def _row(check: CheckOutlook) -> tuple[str, ...]:
    logged = f"{check.logged:.3f}" if check.signal in ("score", "length") else f"{check.logged:.1%}"
    return (
        check.slice,
        f"{check.signal} ({check.direction})",
        f"{check.tolerance * 100:g}",
        logged + (f", {check.measured_pairs:,} pairs" if check.measured_pairs else ""),
        _rate(check.pairs_per_hour),
        "holds" if check.held else _wait(check.passes),
        _wait(check.fails),
    )


def _open(check: CheckOutlook) -> Iterator[str]:
    """What a check that is not decided would need."""
    name = f"  {check.slice}/{check.signal} ({check.direction})"
    if check.held:
        yield f"{name} never passes: {check.held}"
        return
    missing = [word for word, wait in (("pass", check.passes), ("fail", check.fails)) if wait.median is None]
    if not missing:
        return
    if not check.pairs_per_hour:
        yield f"{name} is never decided: none of its units can become a pair"
        return
    helps = "; ".join(map(_advice, check.advice)) or "neither full sampling nor a tolerance of 30 points helps"
    yield f"{name} does not {' or '.join(missing)} within 30 days; it would with: {helps}"


def _advice(advice: Advice) -> str:
    if advice.key == "slice":
        return f"a coarser slice ({advice.value} is decided in {_hours(advice.hours)})"
    return f"{advice.key}: {advice.value:g} ({_hours(advice.hours)})"


def _wait(wait: Wait) -> str:
    if wait.median is None:
        return "never" if wait.early is None else f"never (at best {_hours(wait.early)})"
    late = "never" if wait.late is None else _hours(wait.late)
    return f"{_hours(wait.median)} ({_hours(wait.early or 0.0)} to {late})"


def _hours(hours: float) -> str:
    if hours < 1:
        return f"{hours * 60:.0f} min"
    return f"{hours:.2g} h" if hours < 48 else f"{hours / 24:.2g} d"


def _rate(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 else f"{value:.2g}"


def _short(number: float) -> str:
    for size, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if number >= size:
            return f"{number / size:.3g} {unit}"
    return f"{number:.0f}"
