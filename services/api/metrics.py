"""`/metrics`: the same numbers whichever process is asked, for Prometheus."""

from __future__ import annotations

from fastapi import APIRouter, Response

from services.api.context import Shared
from services.metrics import TEXT, metrics

router = APIRouter()


@router.get("/metrics")
def prometheus(context: Shared) -> Response:
    """All metrics; 503 while the store is unavailable."""
    with context.engine.connect() as connection:
        return Response(metrics(connection, context.now_ms), media_type=TEXT)
