"""`/v1/silences`: notifications that people do not want for a while."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from fastapi import APIRouter, Response

from monitor.response.silences import Silence
from services.api.commands import Body, NewSilence, command
from services.api.context import Shared
from services.api.reply import Problem, reply
from services.store import alert_rows

router = APIRouter()


@router.get("/v1/silences")
def silences(context: Shared, deployment: str | None = None) -> Response:
    """All silences, also those that are over, newest first."""
    with context.engine.connect() as connection:
        found = alert_rows.silences(connection, deployment)
    return reply({"silences": [_as_json(each, context.now_ms) for each in found]})


@router.post("/v1/silences")
def silence(body: Body, context: Shared) -> Response:
    """Mutes notifications from now until then; 422 if that is over already."""
    wanted, now = command(body, NewSilence), context.now_ms
    until = int(wanted.until * 1000)
    if until <= now:
        raise Problem(422, "invalid", "the silence would be over already - at `$.until`")
    new = Silence(
        id=0,
        deployment=wanted.deployment,
        variant=wanted.variant,
        slice=wanted.slice,
        signal=wanted.signal,
        at=now,
        until=until,
        by=wanted.by,
        comment=wanted.comment,
    )
    with context.engine.connect().execution_options(writes=True) as connection:
        stored = alert_rows.add_silence(connection, new)
        connection.commit()
    return reply(_as_json(stored, now), 201)


def _as_json(silence: Silence, now_ms: int) -> dict[str, Any]:
    row = asdict(silence)
    return {**row, "at": silence.at / 1000, "until": silence.until / 1000, "active": silence.active(now_ms)}
