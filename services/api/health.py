"""`/v1/health`: is the process alive, and can it answer?"""

from __future__ import annotations

import sqlalchemy as sa
from fastapi import APIRouter, Response
from sqlalchemy.exc import SQLAlchemyError

from services.api.context import Shared
from services.api.reply import RETRY_SECONDS, reply
from services.store import gaps
from services.store.outbox import dead_letters
from services.store.tables import position

router = APIRouter()


@router.get("/v1/health/live")
async def live() -> Response:
    """The process answers; needs no token and no database."""
    return reply({"live": True})


@router.get("/v1/health/ready")
def ready(context: Shared) -> Response:
    """The database answers and has our tables."""
    try:
        with context.engine.connect() as connection:
            sources = connection.scalar(sa.select(sa.func.count()).select_from(position)) or 0
            dead = dead_letters(connection)
            missing = gaps.count(connection)
    except SQLAlchemyError:
        return reply({"ready": False, "reason": "the store is unavailable"}, 503, {"retry-after": RETRY_SECONDS})
    return reply({"ready": True, "sources": sources, "dead_letters": dead, "gaps": missing})
