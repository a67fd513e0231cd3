"""The API as the pages see it: one method per endpoint, plain rows as answers, one class of error."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import httpx

from dashboard.errors import ApiError
from dashboard.settings import Connection

Row = dict[str, Any]

SECONDS = 10.0


def open_http(connection: Connection) -> httpx.Client:
    """A connection pool for one API; safe to share between sessions."""
    headers = {"Authorization": f"Bearer {connection.token}"} if connection.token else {}
    return httpx.Client(base_url=connection.base, headers=headers, timeout=SECONDS, trust_env=False)


class Api:
    """Asks the API; the same question is asked once in the life of the object, which is one page run."""

    def __init__(self, http: httpx.Client) -> None:
        self.http = http
        self.answers: dict[tuple[Any, ...], Row] = {}

    def deployments(self) -> list[Row]:
        """Every deployment with its builds, slices, signals, deploys and freshness."""
        return _rows(self._get("/v1/deployments"), "deployments")

    def verdict(self, deployment: str, variant: str) -> Row:
        """The latest verdict about one build, with every check."""
        return self._get(f"/v1/verdict/{quote(variant, safe='')}", deployment=deployment)

    def alerts(self, deployment: str | None = None, state: str | None = None) -> list[Row]:
        """Alerts, newest first."""
        rows = _rows(self._get("/v1/alerts", deployment=deployment, state=state), "alerts")
        return sorted(rows, key=lambda row: -(row.get("opened_at") or 0.0))

    def alert(self, identity: str) -> Row:
        """One alert."""
        return self._get(f"/v1/alerts/{quote(identity, safe='')}")

    def series(self, **where: Any) -> Row:
        """Counts per bucket: deployment, variant, slice, signal, population, since, until."""
        return self._get("/v1/series", **where)

    def looks(self, **where: Any) -> list[Row]:
        """What the ledger recorded at every look: deployment, variant, slice, signal, since."""
        return _rows(self._get("/v1/looks", **where), "looks")

    def pairs(self, **where: Any) -> list[Row]:
        """Replayed requests: deployment, variant, slice, signal, differing, limit."""
        return _rows(self._get("/v1/pairs", **where), "pairs")

    def quarantine(self, limit: int = 20) -> Row:
        """What could not be taken, counted by reason."""
        return self._get("/v1/quarantine", limit=limit)

    def acknowledge(self, identity: str, by: str) -> None:
        """Say that somebody looks after this alert."""
        self._ask("POST", f"/v1/alerts/{quote(identity, safe='')}/acknowledge", json={"by": by})
        self.answers.clear()

    def silence(self, **what: Any) -> None:
        """Stop notifications: deployment, variant, slice, signal, until, by, comment."""
        self._ask("POST", "/v1/silences", json=what)
        self.answers.clear()

    def _get(self, path: str, **where: Any) -> Row:
        params = {name: value for name, value in where.items() if value is not None}
        key = (path, *sorted(params.items()))
        if key not in self.answers:
            self.answers[key] = self._ask("GET", path, params=params)
        return self.answers[key]

    def _ask(self, method: str, path: str, **how: Any) -> Row:
        try:
            response = self.http.request(method, path, **how)
        except httpx.HTTPError as error:
            raise ApiError(f"The API at {self.http.base_url} does not answer ({_reason(error)}).") from error
        return _body(response)


def _reason(error: httpx.HTTPError) -> str:
    if isinstance(error, httpx.TimeoutException):
        return f"no answer within {SECONDS:.0f} seconds"
    return "connection refused or lost" if isinstance(error, httpx.TransportError) else type(error).__name__


def _body(response: httpx.Response) -> Row:
    if response.status_code in (401, 403):
        raise ApiError("The API refuses the token. Set QUANTWATCH_TOKEN to a token it accepts and start again.")
    if response.status_code == 404:
        raise ApiError("The API does not know what was asked for.", missing=True)
    if not response.is_success:
        raise ApiError(f"The API answered with status {response.status_code}.")
    try:
        body = response.json()
    except ValueError as error:
        raise ApiError("The API's answer is not JSON. Is this the address of quantwatch?") from error
    if not isinstance(body, dict):
        raise ApiError("The API's answer has an unexpected shape.")
    return body


def _rows(body: Mapping[str, Any], name: str) -> list[Row]:
    rows = body.get(name)
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise ApiError(f"The API's answer has no list of {name}. Is it of another version?")
    return rows
