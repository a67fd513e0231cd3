"""`/v1/deployments`: what is watched, what serves, how fresh the facts are."""

from __future__ import annotations

from typing import Any

import msgspec
import sqlalchemy as sa
from fastapi import APIRouter, Response

from monitor.plan import DeploymentRule, VariantRule, seconds
from monitor.slices import ALL
from services.api.context import Context, Shared
from services.api.reply import reply
from services.standing import Question, standing
from services.store import queries

GAP_SECONDS = 1_800

router = APIRouter()
Row = dict[str, Any]


@router.get("/v1/deployments")
def deployments(context: Shared) -> Response:
    """Every deployment of the plan; under an open plan, every one that was seen."""
    with context.engine.connect() as connection:
        names = queries.deployments(connection) if context.plan.open else list(context.plan.deployments)
        return reply({"deployments": [_deployment(connection, context, name) for name in names]})


def _deployment(connection: sa.Connection, context: Context, name: str) -> Row:
    rule, now = context.rule(name), context.clock()
    width = seconds(rule.bucket)
    first_open = queries.sealed_bucket(connection, name)
    sealed = None if first_open is None else first_open * width
    slow = seconds(rule.lateness) + seconds(rule.policy.stale_after)
    starts = queries.deploys(connection, name, int(GAP_SECONDS / width))
    return {
        "name": name,
        "reference": rule.reference,
        "bucket_seconds": width,
        "sealed_until": sealed,
        "now": now,
        "stale": sealed is not None and now - sealed > slow,
        "variants": _variants(connection, context, name, rule, now),
        "slices": [{"name": ALL, "gates": True}]
        + [{"name": part.name, "gates": part.gates} for part in rule.slices if part.name != ALL],
        "signals": [
            {"name": signal, "gates": gates, "tolerance": tolerance, "family": family}
            for signal, family, gates, tolerance in context.signals(name)
        ],
        "deploys": [{"variant": variant, "time": bucket * width} for variant, bucket in starts],
    }


def _variants(
    connection: sa.Connection, context: Context, deployment: str, rule: DeploymentRule, now: float
) -> list[Row]:
    width = seconds(rule.bucket)
    served = queries.served(connection, deployment)
    newest = max((last for _, last in served.values()), default=None)
    rows = []
    for name in (*rule.variants, *(name for name in served if name not in rule.variants)):
        first, last = served.get(name, (None, None))
        built = rule.variants.get(name, VariantRule())
        rows.append(
            {
                "name": name,
                "format": _format(built),
                "cost": built.cost,
                "first_seen": None if first is None else first * width,
                "last_seen": None if last is None else (last + 1) * width,
                "is_reference": name == rule.reference,
                "serving": last is not None and last == newest,
                **_decision(connection, context, deployment, name, now),
            }
        )
    return rows


def _format(built: VariantRule) -> Row:
    row: Row = msgspec.to_builtins(built.format)
    return {key: row[key] for key in ("kind", "bits", "group_size", "per_channel")}


def _decision(connection: sa.Connection, context: Context, deployment: str, variant: str, now: float) -> Row:
    if queries.latest_look(connection, deployment, variant) is None:
        return {"decision": None, "reason": ""}
    said = standing(connection, context.plan, Question(variant, deployment), now)
    return {"decision": said["decision"], "reason": said["reason"]}
