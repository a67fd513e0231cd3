"""`/v1/events`: requests, scores and feedback come in. Accepted means stored, not yet understood."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from services.api.context import Shared
from services.api.intake import MAX_REQUEST, read_body, split
from services.api.reply import Problem, reply
from services.store.inbox import accept

router = APIRouter()


async def _body(request: Request) -> bytes:
    length = request.headers.get("content-length", "")
    if length.isdigit() and int(length) > MAX_REQUEST:
        raise Problem(413, "too_large", f"a request has at most {MAX_REQUEST} bytes, unpacked")
    return await read_body(request.stream(), request.headers.get("content-encoding", "").strip().lower())


@router.post("/v1/events")
def events(body: Annotated[bytes, Depends(_body)], context: Shared) -> Response:
    """One record, an array of them, or a line each. 202 once they are committed; what is wrong is quarantined later."""
    ids = accept(context.engine, split(body), context.now_ms)
    return reply({"received": len(ids), "first": ids[0] if ids else None, "last": ids[-1] if ids else None}, 202)
