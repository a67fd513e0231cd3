"""`/v1/quarantine`: input that could not be taken, by reason, and what was no longer there. Never a body."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response

from services.api.context import Shared
from services.api.reply import reply
from services.store.gaps import gaps
from services.store.queries import quarantined

router = APIRouter()


@router.get("/v1/quarantine")
def quarantine(context: Shared, limit: Annotated[int, Query(ge=0, le=1_000)] = 100) -> Response:
    """Counts by reason, where the newest records are, and the newest gaps."""
    with context.engine.connect() as connection:
        by_reason, newest = quarantined(connection, limit)
        missing = gaps(connection, limit)
    rows = [{"source": r.source, "position": r.position, "reason": r.reason, "time": r.at / 1000} for r in newest]
    lost = [
        {"source": r.source, "position": r.position, "until": r.until, "reason": r.reason, "time": r.at / 1000}
        for r in missing
    ]
    return reply({"total": sum(by_reason.values()), "by_reason": by_reason, "rows": rows, "gaps": lost})
