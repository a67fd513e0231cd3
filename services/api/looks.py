"""`/v1/looks`: what the ledger recorded of one check at every look."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Query, Response

from monitor.model import Interval
from services.api.context import Shared, Time
from services.api.reply import reply
from services.api.series import Part
from services.store.queries import Look, looks

router = APIRouter()


class _Check(msgspec.Struct):
    slice: str
    signal: str
    direction: str
    decision: str
    pairs: int
    harm: Interval
    log_evidence: float
    threshold: float


class _Verdict(msgspec.Struct):
    as_of: float
    checks: tuple[_Check, ...]


@router.get("/v1/looks")
def ledger(
    context: Shared,
    deployment: str,
    variant: str,
    signal: str,
    part: Part = "all",
    direction: str | None = None,
    since: Time = None,
    limit: Annotated[int, Query(ge=1, le=5_000)] = 1_000,
) -> Response:
    """The latest looks, oldest first. Of a two-sided signal without `direction`, the side with more evidence now."""
    width = context.width_ms(deployment)
    first = None if since is None else math.ceil(since * 1000 / width)
    with context.engine.connect() as connection:
        found = looks(connection, deployment, variant, since=first, limit=limit)
    rows = [row for each in reversed(found) for row in _rows(each, part, signal)]
    side = direction or _worse_side(rows)
    return reply({"looks": [row for row in rows if row["direction"] == side]})


def _rows(look: Look, part: str, signal: str) -> list[dict[str, Any]]:
    verdict = msgspec.json.decode(look.verdict, type=_Verdict)
    return [
        {
            "time": verdict.as_of,
            "pairs": check.pairs,
            "estimate": check.harm.estimate,
            "lower": check.harm.lower,
            "upper": check.harm.upper,
            "log_evidence": check.log_evidence,
            "threshold": check.threshold,
            "decision": check.decision,
            "direction": check.direction,
        }
        for check in verdict.checks
        if check.slice == part and check.signal == signal
    ]


def _worse_side(rows: Sequence[dict[str, Any]]) -> str | None:
    newest = [row for row in rows if row["time"] == rows[-1]["time"]]
    return max(newest, key=lambda row: (row["log_evidence"], row["direction"]))["direction"] if newest else None
