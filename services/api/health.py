"""`/v1/health`: is the process alive, and can it answer?"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from fastapi import APIRouter, Response
from sqlalchemy.exc import SQLAlchemyError

from services.api.context import Context, Shared
from services.api.reply import RETRY_SECONDS, reply
from services.store import gaps
from services.store.outbox import dead_letters
from services.store.tables import evaluation, position

router = APIRouter()


@router.get("/v1/health/live")
async def live(context: Shared) -> Response:
    """The process answers, and what it does goes on; needs no token and no database."""
    stuck = context.stuck()
    return reply({"live": True}) if stuck is None else reply({"live": False, "reason": stuck}, 503)


@router.get("/v1/health/ready")
def ready(context: Shared) -> Response:
    """The database answers and has our tables."""
    try:
        return reply(_standing(context))
    except SQLAlchemyError:
        return reply({"ready": False, "reason": "the store is unavailable"}, 503, {"retry-after": RETRY_SECONDS})


def _standing(context: Context) -> dict[str, Any]:
    with context.engine.connect() as connection:
        evaluated = connection.scalar(sa.select(sa.func.max(evaluation.c.at)))
        return {
            "ready": True,
            "sources": connection.scalar(sa.select(sa.func.count()).select_from(position)) or 0,
            "dead_letters": dead_letters(connection),
            "gaps": gaps.count(connection),
            "evaluated": None if evaluated is None else evaluated / 1000,
        }
