"""`/v1/coverage`: how much of a variant's traffic was replayed, and what still waits."""

from __future__ import annotations

from fastapi import APIRouter, Response

from services.api.context import Shared
from services.api.reply import reply
from services.store import queries

router = APIRouter()


@router.get("/v1/coverage")
def coverage(context: Shared, deployment: str, variant: str) -> Response:
    """Counts of pairs, queued replays and open joins."""
    context.rule(deployment)
    with context.engine.connect() as connection:
        return reply(queries.coverage(connection, deployment, variant))
