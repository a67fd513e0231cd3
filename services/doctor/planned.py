"""The plan: whether it can be read, and whether anything can ever come of it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from monitor.errors import PlanError
from monitor.plan import DeploymentRule, Plan
from services.doctor.result import Result, fail, ok
from services.planfile import DEFAULT_FILE, read_plan

_INIT = "quantwatch plan init LOG > quantwatch.yaml"


def plan(file: str | None) -> tuple[Plan | None, list[Result]]:
    """The plan, None where it cannot be used, and what there is to say of it."""
    if file is None and not Path(DEFAULT_FILE).exists():
        return None, [fail("plan", f"no plan: there is no {DEFAULT_FILE} here", f"write one ({_INIT}), or give --plan")]
    try:
        found = read_plan(file)
    except PlanError as error:
        return None, [fail("plan", str(error), "quantwatch plan check says what is allowed there")]
    if found.open:
        return None, [fail("plan", "the plan names no deployment, so nothing is ever compared", _INIT)]
    named = f"{file or DEFAULT_FILE} ({found.digest}): {_counted(found)}"
    problems = [*_problems(found), *_webhooks(found)]
    return found, [ok("plan", named), *problems]


def _counted(plan: Plan) -> str:
    variants = sum(len(rule.variants) for rule in plan.deployments.values())
    return f"deployments {len(plan.deployments)}, variants {variants}"


def _problems(plan: Plan) -> Iterator[Result]:
    if plan.text == "none":
        yield fail("plan", "`text: none` keeps no texts, so nothing can be replayed", "text: 7d, or import pairs")
    for name, rule in plan.deployments.items():
        yield from _of_deployment(name, rule)


def _of_deployment(name: str, rule: DeploymentRule) -> Iterator[Result]:
    reference = rule.variants.get(rule.reference or "")
    if reference is None:
        yield fail("plan", f"{name} has no `reference`, so every verdict is hold", "name the full-precision variant")
    elif reference.arm is None:
        yield fail("plan", f"the reference of {name} has no `arm`, so nothing is replayed", "say where it answers")
    if len(rule.variants) < 2:
        yield fail("plan", f"{name} has no variant besides its reference", "name the builds that serve")
    if rule.shadow.share == 0 and not any(rule.shadow.strata.values()):
        yield fail("plan", f"{name} samples nothing (`shadow.share: 0`)", "raise it; plan check --log says to what")


def _webhooks(plan: Plan) -> Iterator[Result]:
    for hook in plan.webhooks:
        if not os.environ.get(hook.secret_env):
            yield fail("plan", f"the secret of a webhook is not set: {hook.secret_env}", "set it in the environment")
