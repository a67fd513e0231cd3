"""The one place that chooses: which store, which sources, which arms, which destinations."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sqlalchemy.engine import Engine

from monitor.model import Arm
from monitor.plan import Plan
from monitor.watch import Watch
from monitor.wire import decode
from services.errors import UsageError
from services.outbound.webhook import Webhook, open_webhooks
from services.ports import Clock
from services.store.queue import ShadowQueue


def destinations(plan: Plan) -> dict[str, Webhook]:
    """Where alerts leave to, by name, from the plan; secrets come from the environment."""
    return open_webhooks(plan, os.environ)


def shadow_worker(engine: Engine, plan: Plan, clock: Clock, base: Path, name: str) -> Any:
    """The shadow worker of the embedded mode, over the queue table: the one line where services meet shadow."""
    from shadow.backends import open_backend
    from shadow.ports import ReplayTask
    from shadow.worker import REFERENCE, ShadowWorker

    watches = {deployment: Watch(deployment, plan) for deployment in plan.deployments}
    opened: dict[Any, Any] = {}
    arms: dict[tuple[str, str], Any] = {}
    for deployment, rule in plan.deployments.items():
        for variant, known in rule.variants.items():
            if known.arm is None:
                continue
            if known.arm not in opened:
                opened[known.arm] = open_backend(known.arm, base)
            if variant == rule.reference:
                arms[deployment, REFERENCE] = opened[known.arm]
            elif known.arm.same_build or known.arm.backend != "transformers":
                arms[deployment, variant] = opened[known.arm]
    if not arms:
        raise UsageError("the plan names no build to replay on: give variants an `arm`")

    def task(row: Any) -> ReplayTask:
        wanted = tuple(Arm(arm) for arm in row.arms.split(","))
        return ReplayTask(row.pair_id, row.deployment, row.variant, row.event, wanted, row.attempts)

    queue = ShadowQueue(engine, clock, plan.keep, lambda d: watches[d].judge.signals, task)
    judges = {deployment: watch.judge for deployment, watch in watches.items()}
    limits = {deployment: rule.shadow.max_tokens for deployment, rule in plan.deployments.items()}
    return ShadowWorker(
        queue,
        arms,
        lambda event, output: judges[event.deployment](event, output),
        decode,  # type: ignore[arg-type]
        name=name,
        limit=16,
        max_tokens=limits,
    )


def generator(plan: Plan, deployment: str, base: Path) -> Callable[[str, list[Any]], list[Any]]:
    """Answers events by the builds of a plan, for simulated traffic: (variant, events) -> outputs."""
    from shadow.backends import open_backend
    from shadow.replay import request_of

    rule = plan.deployments[deployment]
    builds = {name: open_backend(known.arm, base) for name, known in rule.variants.items() if known.arm is not None}

    def generate(variant: str, events: list[Any]) -> list[Any]:
        return list(builds[variant].generate([request_of(event, rule.shadow.max_tokens) for event in events]))

    return generate


def scorer(plan: Plan, deployment: str) -> Callable[[Any, Any], float | None]:
    """How right an output is, in [0, 1], by the deployment's own score signal; None without a known answer."""
    values = Watch(deployment, plan).judge

    def score(event: Any, output: Any) -> float | None:
        found = values(event, output)["score"]
        return None if found < 0 else found / 65_535

    return score
