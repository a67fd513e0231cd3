"""`/v1/verdict`: may this variant go on serving?"""

from __future__ import annotations

from fastapi import APIRouter, Response

from services.api.context import Shared, Time
from services.api.reply import Problem, reply
from services.standing import Question, standing

router = APIRouter()


@router.get("/v1/verdict/{variant:path}")
def verdict(variant: str, context: Shared, deployment: str | None = None, as_of: Time = None) -> Response:
    """The latest verdict, or the one at a moment; always with all keys, a name may end in a slash."""
    name = variant.rstrip("/")
    if not name:
        raise Problem(404, "not_found", "name a variant")
    with context.engine.connect() as connection:
        return reply(standing(connection, context.plan, Question(name, deployment, as_of), context.clock()))
