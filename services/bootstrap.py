"""The one place that chooses: which store, which sources, which arms, which destinations."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy.engine import Engine

from monitor.model import Arm, Message
from monitor.plan import ArmRule, Plan, seconds
from monitor.traits import Traits
from monitor.watch import Watch
from monitor.wire import decode
from services.errors import UsageError
from services.outbound.webhook import Webhook, open_webhooks
from services.ports import Clock
from services.store.queue import ShadowQueue
from services.store.spending import Spending

LEASE = 120.0
_TIMEOUTS = 4
"""A batch of replays lasts a few time-outs of the slowest server, and never less than `LEASE` seconds."""


def destinations(plan: Plan) -> dict[str, Webhook]:
    """Where alerts leave to, by name, from the plan; secrets come from the environment."""
    return open_webhooks(plan, os.environ)


def shadow_worker(
    engine: Engine, plan: Plan, clock: Clock, base: Path, name: str, known: Mapping[ArmRule, Any] | None = None
) -> Any:
    """The shadow worker of the embedded mode, over the queue table: the one line where services meet shadow.

    `known` are builds that are open already.
    """
    from shadow.errors import Retry
    from shadow.ports import ReplayTask
    from shadow.worker import REFERENCE, ShadowWorker

    watches = {deployment: Watch(deployment, plan) for deployment in plan.deployments}
    spending = Spending(engine, clock)
    opened: dict[ArmRule, Any] = dict(known or {})
    arms: dict[tuple[str, str], Any] = {}
    for deployment, rule in plan.deployments.items():
        for variant, each in rule.variants.items():
            if each.arm is None or not (variant == rule.reference or stands_for_served(each.arm)):
                continue
            if each.arm not in opened:
                opened[each.arm] = open_arm(each.arm, base, variant, spending)
            arms[deployment, REFERENCE if variant == rule.reference else variant] = opened[each.arm]
    if not arms:
        raise UsageError("the plan names no build to replay on: give variants an `arm`")

    def task(row: Any) -> ReplayTask:
        wanted = tuple(Arm(arm) for arm in row.arms.split(","))
        return ReplayTask(row.pair_id, row.deployment, row.variant, row.event, wanted, row.attempts)

    queue = ShadowQueue(engine, clock, plan.keep, lambda d: watches[d].judge.signals, task, Retry)
    judges = {deployment: watch.judge for deployment, watch in watches.items()}
    limits = {deployment: rule.shadow.max_tokens for deployment, rule in plan.deployments.items()}
    return ShadowWorker(
        queue,
        arms,
        lambda event, output: judges[event.deployment](event, output),
        decode,  # type: ignore[arg-type]
        name=name,
        limit=16,
        lease=max(LEASE, _TIMEOUTS * max(seconds(arm.timeout) for arm in opened)),
        max_tokens=limits,
    )


def stands_for_served(arm: ArmRule) -> bool:
    """Whether a variant's arm is the served build itself: quantized anew in this process, only if the plan says so."""
    return arm.same_build or arm.backend != "transformers"


def open_arm(arm: ArmRule, base: Path, variant: str, spending: Spending | None = None) -> Any:
    """The build of a variant's arm; `UsageError` with the variant's name if it cannot be opened."""
    from shadow.backends import open_backend
    from shadow.errors import BackendError

    try:
        return open_backend(arm, base, os.environ, spending)
    except BackendError as error:
        raise UsageError(f"the arm of {variant} cannot be opened: {error}") from None


def inspect(backend: Any, probes: Sequence[Sequence[Message]]) -> Traits:
    """What a build says of itself and of short conversations; nothing where its template refuses one."""
    from shadow.errors import NotReplayable
    from shadow.inspection import traits

    try:
        return traits(backend, probes)
    except NotReplayable:
        return Traits()


def generator(plan: Plan, deployment: str, base: Path) -> Callable[[str, list[Any]], list[Any]]:
    """Answers events by the builds of a plan, for simulated traffic: (variant, events) -> outputs."""
    from shadow.errors import ShadowError
    from shadow.replay import request_of

    rule = plan.deployments[deployment]
    builds = {name: open_arm(known.arm, base, name) for name, known in rule.variants.items() if known.arm is not None}

    def generate(variant: str, events: list[Any]) -> list[Any]:
        outputs = builds[variant].generate([request_of(event, rule.shadow.max_tokens) for event in events])
        for each in outputs:
            if isinstance(each, ShadowError):
                raise UsageError(f"{variant} did not answer: {each}")
        return list(outputs)

    return generate


def scorer(plan: Plan, deployment: str) -> Callable[[Any, Any], float | None]:
    """How right an output is, in [0, 1], by the deployment's own score signal; None without a known answer."""
    values = Watch(deployment, plan).judge

    def score(event: Any, output: Any) -> float | None:
        found = values(event, output)["score"]
        return None if found < 0 else found / 65_535

    return score
