"""The dead man's heartbeat: a watcher outside hears from us as long as evidence is looked at, and cries when not."""

from __future__ import annotations

import logging

import httpx
import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from monitor.plan import Plan
from services.ports import Clock
from services.store.tables import evaluation

FRESH = 120_000
"""Milliseconds after which an evaluation is too old to be alive."""

_log = logging.getLogger(__name__)


class Heartbeat:
    """Asks for `url`, whose answer is of no matter, once a call. Nothing is sent but the request itself."""

    def __init__(self, engine: Engine, plan: Plan, clock: Clock, url: str, timeout: float = 10.0) -> None:
        self._engine = engine
        self._plan = plan
        self._clock = clock
        self._url = url
        self._http = httpx.Client(timeout=timeout, trust_env=False)

    def beat(self) -> bool:
        """Beats if all is evaluated: whether it did. Silent while the store does not answer or nobody looks."""
        with self._engine.connect() as connection:
            alive = evaluated(connection, self._plan, self._clock())
        if alive:
            try:
                self._http.get(self._url)
            except httpx.HTTPError as error:
                _log.warning("the heartbeat was not heard (%s)", type(error).__name__)
                return False
        return alive

    def close(self) -> None:
        """Gives its connections back."""
        self._http.close()


def evaluated(connection: Connection, plan: Plan, now: int) -> bool:
    """Whether every deployment of the plan was evaluated lately; where there is none yet, nothing is late."""
    rows = connection.execute(sa.select(evaluation.c.deployment, evaluation.c.at))
    return all(now - row.at <= FRESH for row in rows if plan.deployment(row.deployment) is not None)
