"""`/v1/quarantine`: input that could not be taken, by reason. Never a body."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response

from services.api.context import Shared
from services.api.reply import reply
from services.store.queries import quarantined

router = APIRouter()


@router.get("/v1/quarantine")
def quarantine(context: Shared, limit: Annotated[int, Query(ge=0, le=1_000)] = 100) -> Response:
    """Counts by reason, and where the newest records are."""
    with context.engine.connect() as connection:
        by_reason, newest = quarantined(connection, limit)
    rows = [{"source": r.source, "position": r.position, "reason": r.reason, "time": r.at / 1000} for r in newest]
    return reply({"total": sum(by_reason.values()), "by_reason": by_reason, "rows": rows})
