"""What every request needs: the database, the plan, the clock, and what was read once."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Annotated

from fastapi import Depends, Query, Request
from sqlalchemy.engine import Engine

from monitor.plan import DeploymentRule, Plan
from services.api.reply import Problem
from services.store.read_series import Layouts

LATEST = 4_102_444_800

Time = Annotated[float | None, Query(ge=0, le=LATEST, allow_inf_nan=False)]
"""A moment as seconds since the epoch."""


class Context:
    """Belongs to one application; safe to share between its threads."""

    def __init__(
        self,
        engine: Engine,
        plan: Plan,
        clock: Callable[[], float],
        stuck: Callable[[], str | None] = lambda: None,
    ) -> None:
        self.engine = engine
        self.plan = plan
        self.clock = clock
        self.stuck = stuck
        self.layouts = Layouts()
        self.signals = cache(self._signals)

    @property
    def now_ms(self) -> int:
        """The clock in whole milliseconds."""
        return int(self.clock() * 1000)

    def rule(self, deployment: str) -> DeploymentRule:
        """The plan's word on a deployment; 404 if it has none."""
        rule = self.plan.deployment(deployment)
        if rule is None:
            raise Problem(404, "unknown_deployment", "the plan has no deployment of that name")
        return rule

    def width_ms(self, deployment: str) -> int:
        """The bucket width of a deployment; 404 if the plan does not know it."""
        return self.rule(deployment).width

    def _signals(self, deployment: str) -> tuple[tuple[str, str, bool, float], ...]:
        """(name, family, gates, tolerance) of every signal of a deployment."""
        from monitor.watch import Watch  # compiles on import: not worth seconds of every start

        watch = Watch(deployment, self.plan)
        later = [definition for group in watch.hindsight.values() for definition in group]
        found = {d.signal: d.family for d in (*watch.live, *later) if d.family != "traffic"}
        rules = {name: watch.signal_rule(name) for name in found}
        return tuple((name, found[name], bool(rules[name].gates), rules[name].tolerance) for name in found)


def context_of(request: Request) -> Context:
    """The context of the application that a request came to."""
    context: Context = request.app.state.context
    return context


Shared = Annotated[Context, Depends(context_of)]
