"""Where a variant stands now: its latest look, or why there is none. For the API and every adapter of it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

import msgspec
import sqlalchemy as sa

from monitor.model import Decision, Recommendation, Verdict
from monitor.plan import DeploymentRule, Plan, seconds
from services.store import queries

Row = dict[str, Any]

UNANSWERED = ("unknown variant", "unknown deployment")
"""Reasons with which a verdict says that the question was wrong."""


@dataclass(frozen=True, slots=True)
class Question:
    """Which variant, in which deployment (None: where the name is unique), as of when.

    `as_of` None means now; infinity means the last look there is, however old.
    """

    variant: str
    deployment: str | None = None
    as_of: float | None = None


def standing(connection: sa.Connection, plan: Plan, question: Question, now: float) -> Row:
    """A verdict with all its keys. No look, an unknown name, a look that is too old: hold, with the reason."""
    variant = question.variant
    found = [question.deployment] if question.deployment is not None else _deployments(connection, plan, variant)
    if len(found) != 1:
        reason = "unknown variant" if not found else f"several deployments have it ({', '.join(found)}): say which one"
        return no_verdict("", variant, reason, now)
    deployment = found[0]
    rule = plan.deployment(deployment)
    if rule is None:
        return no_verdict(deployment, variant, "unknown deployment", now)
    width = rule.width
    known = question.as_of is not None and question.as_of != math.inf
    until = int((question.as_of or 0.0) * 1000) // width if known else None
    look = queries.latest_look(connection, deployment, variant, until)
    if look is None:
        return no_verdict(deployment, variant, _why_none(connection, plan, deployment, variant), now)
    verdict = no_verdict(deployment, variant, "", now) | msgspec.json.decode(look.verdict, type=Row)
    age = now - verdict["as_of"]
    if question.as_of is None and age > freshness(rule):
        return _aged(verdict, age)
    return verdict


def freshness(rule: DeploymentRule) -> float:
    """Seconds after which evidence is stale: what sealing needs by itself, and the plan's `stale_after`."""
    waits = (rule.bucket, rule.lateness, rule.shadow.horizon, rule.policy.stale_after)
    return sum(seconds(wait) for wait in waits)


def no_verdict(deployment: str, variant: str, reason: str, now: float) -> Row:
    """A verdict that knows nothing: hold, every key there."""
    verdict = Verdict(
        deployment=deployment,
        variant=variant,
        decision=Decision.HOLD,
        reason=reason,
        recommendation=Recommendation("hold", reason),
        as_of=now,
        sealed_until=None,
        stale=False,
        coverage={"units": 0, "pairs": 0, "replayed_share": None, "excluded_share": 0.0},
        checks=(),
        findings=(),
        uncovered=(),
        worst=(),
        plan="",
    )
    row: Row = msgspec.to_builtins(verdict)
    return {**row, "links": links(deployment, variant)}


def links(deployment: str, variant: str) -> dict[str, str]:
    """Where to read on, as paths of this API."""
    where = urlencode({"deployment": deployment})
    both = urlencode({"deployment": deployment, "variant": variant})
    return {
        "self": f"/v1/verdict/{quote(variant, safe='')}?{where}",
        "alerts": f"/v1/alerts?{where}",
        "looks": f"/v1/looks?{both}",
        "pairs": f"/v1/pairs?{both}",
    }


def _aged(verdict: Row, age: float) -> Row:
    """An old look can no longer say pass; a fail stays one."""
    reason = f"stale: the newest evidence is {age / 60:.0f} minutes old"
    if verdict["decision"] == Decision.FAIL:
        return {**verdict, "stale": True, "reason": f"{verdict['reason']} ({reason})"}
    advice = msgspec.to_builtins(Recommendation("hold", reason))
    return {**verdict, "stale": True, "decision": str(Decision.HOLD), "reason": reason, "recommendation": advice}


def _deployments(connection: sa.Connection, plan: Plan, variant: str) -> list[str]:
    planned = [name for name, rule in plan.deployments.items() if variant in rule.variants]
    return sorted({*planned, *queries.deployments_of(connection, variant)})


def _why_none(connection: sa.Connection, plan: Plan, deployment: str, variant: str) -> str:
    rule = plan.deployment(deployment)
    if rule is not None and variant in rule.variants:
        return "no evidence yet"
    return "no evidence yet" if variant in queries.variants(connection, deployment) else "unknown variant"
