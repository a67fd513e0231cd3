"""The application: routers, answers to errors, and the token before all of them."""

from __future__ import annotations

import time
from collections.abc import Callable

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from sqlalchemy.engine import Engine
from sqlalchemy.exc import SQLAlchemyError
from starlette.exceptions import HTTPException

from monitor.plan import Plan
from services.api import (
    alerts,
    coverage,
    deployments,
    events,
    health,
    looks,
    metrics,
    pairs,
    quarantine,
    reply,
    series,
    silences,
    verdict,
)
from services.api.auth import Bearer
from services.api.context import Context

ROUTERS = (alerts, coverage, deployments, events, health, looks, metrics, pairs, quarantine, series, silences, verdict)


def create_app(
    engine: Engine,
    plan: Plan,
    *,
    token: str | None = None,
    clock: Callable[[], float] = time.time,
    stuck: Callable[[], str | None] = lambda: None,
) -> FastAPI:
    """An application over one database and one plan; `clock` gives seconds since the epoch.

    `stuck` says what beside it in this process does not go on, None while all does.
    """
    app = FastAPI(title="quantwatch", docs_url=None, redoc_url=None, openapi_url=None, redirect_slashes=False)
    app.state.context = Context(engine, plan, clock, stuck)
    for module in ROUTERS:
        app.include_router(module.router)
    app.add_exception_handler(reply.Problem, reply.on_problem)
    app.add_exception_handler(HTTPException, reply.on_http)
    app.add_exception_handler(RequestValidationError, reply.on_invalid)
    app.add_exception_handler(SQLAlchemyError, reply.on_store)
    app.add_exception_handler(Exception, reply.on_crash)
    if token:
        app.add_middleware(Bearer, token=token)
    return app
