"""`/v1/alerts`: what is open, and what people do about it."""

from __future__ import annotations

from typing import Annotated

import sqlalchemy as sa
from fastapi import APIRouter, Query, Response

from monitor.response.alerts import Ruling, State, Word
from services.api.commands import Acknowledge, Body, Resolve, command
from services.api.context import Context, Shared
from services.api.reply import Problem, reply
from services.store import alert_rows
from services.store.alerts import act
from services.store.tables import alert

router = APIRouter()


@router.get("/v1/alerts")
def alerts(
    context: Shared,
    deployment: str | None = None,
    state: State | None = None,
    limit: Annotated[int, Query(ge=1, le=1_000)] = 200,
) -> Response:
    """Alerts, newest first; those that were grouped under another one's notification too."""
    where: list[sa.ColumnElement[bool]] = [alert.c.deployment == deployment] if deployment is not None else []
    where += [alert_rows.in_state(state)] if state is not None else []
    with context.engine.connect() as connection:
        found = alert_rows.read(connection, *where, limit=limit)
        silences = alert_rows.silences(connection, deployment)
    return reply({"alerts": [alert_rows.as_json(each, silences, context.now_ms) for each in found]})


@router.get("/v1/alerts/{name}")
def one_alert(name: str, context: Shared) -> Response:
    """One alert."""
    with context.engine.connect() as connection:
        found = alert_rows.one(connection, name)
        silences = alert_rows.silences(connection)
    if found is None:
        raise Problem(404, "unknown_alert", "there is no such alert")
    return reply(alert_rows.as_json(found, silences, context.now_ms))


@router.post("/v1/alerts/{name}/acknowledge")
def acknowledge(name: str, body: Body, context: Shared) -> Response:
    """Somebody looks after it; 409 if that may not happen any more."""
    wanted = command(body, Acknowledge)
    return _act(context, name, Word.ACKNOWLEDGED, wanted.by, "acknowledged through the API")


@router.post("/v1/alerts/{name}/resolve")
def resolve(name: str, body: Body, context: Shared) -> Response:
    """Somebody says that it is over; the same evidence does not open it again."""
    wanted = command(body, Resolve)
    return _act(context, name, Word.RESOLVED, wanted.by, wanted.reason)


def _act(context: Context, name: str, word: Word, by: str, reason: str) -> Response:
    with context.engine.connect().execution_options(writes=True) as connection:
        after = act(connection, name, word, by, reason, context.now_ms)
        silences = alert_rows.silences(connection)
        connection.commit()
    if isinstance(after, Ruling):
        missing = after.reason == "there is no such alert"
        raise Problem(404 if missing else 409, "unknown_alert" if missing else "conflict", after.reason)
    return reply(alert_rows.as_json(after, silences, context.now_ms))
