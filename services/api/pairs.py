"""`/v1/pairs`: replayed requests, side by side."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response

from services.api.context import Shared
from services.api.reply import reply
from services.store.read_pairs import Wanted, read_pairs

router = APIRouter()


@router.get("/v1/pairs")
def pairs(
    context: Shared,
    deployment: str,
    variant: str | None = None,
    part: Annotated[str | None, Query(alias="slice")] = None,
    signal: str | None = None,
    differing: bool = False,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
) -> Response:
    """The newest pairs; with `differing`, those whose builds disagree on the signal."""
    wanted = Wanted(deployment, variant, part, signal, differing)
    width = context.width_ms(deployment)
    with context.engine.connect() as connection:
        return reply({"pairs": read_pairs(connection, context.layouts, wanted, limit, context.now_ms, width)})
