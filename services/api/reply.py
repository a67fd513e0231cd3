"""Answers: always JSON, also when something is wrong; what a request said is never repeated."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from sqlalchemy.exc import DataError, SQLAlchemyError
from starlette.exceptions import HTTPException
from starlette.types import Scope

from services.standing import no_verdict

VERDICTS = "/v1/verdict"
RETRY_SECONDS = "5"

_CODES = {400: "bad_request", 404: "not_found", 405: "method_not_allowed", 413: "too_large"}


class Problem(Exception):
    """An answer that is an error. `message` is one line and holds nothing that the request's body said."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message


def reply(value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """A JSON answer."""
    said = {"cache-control": "no-store", **(headers or {})}
    return Response(msgspec.json.encode(value), status, said, media_type="application/json")


def refuse(scope: Scope, status: int, code: str, message: str) -> Response:
    """An error. Under `/v1/verdict` it has all keys of a verdict, whose decision is hold."""
    path: str = scope["path"]
    body: dict[str, Any] = {"error": {"code": code, "message": message}}
    if path == VERDICTS or path.startswith(f"{VERDICTS}/"):
        variant = path.removeprefix(VERDICTS).strip("/")
        body = {**no_verdict("", variant, message, scope["app"].state.context.clock()), **body}
    headers = {"retry-after": RETRY_SECONDS} if status == 503 else {}
    headers |= {"www-authenticate": "Bearer"} if status == 401 else {}
    return reply(body, status, headers)


def on_problem(request: Request, error: Exception) -> Response:
    """The answer to a `Problem`."""
    assert isinstance(error, Problem)
    return refuse(request.scope, error.status, error.code, error.message)


def on_http(request: Request, error: Exception) -> Response:
    """The answer to what the framework refuses, such as an unknown path."""
    assert isinstance(error, HTTPException)
    code = _CODES.get(error.status_code, "error")
    return refuse(request.scope, error.status_code, code, code.replace("_", " "))


def on_invalid(request: Request, error: Exception) -> Response:
    """The answer to wrong query parameters: the first one and what is wrong with it."""
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"][1:]) or "request"
    return refuse(request.scope, 422, "invalid", f"{where}: {first['msg']}")


def on_store(request: Request, error: Exception) -> Response:
    """The answer while the database cannot be used, or where it cannot hold what was asked (text with NUL)."""
    assert isinstance(error, SQLAlchemyError)
    if isinstance(error, DataError):
        return refuse(request.scope, 422, "invalid", "a value cannot be looked up")
    return refuse(request.scope, 503, "store_unavailable", "the store is unavailable, try again")


def on_crash(request: Request, error: Exception) -> Response:
    """The answer to a defect of ours; the server's log has the rest."""
    return refuse(request.scope, 500, "internal", f"internal error ({type(error).__name__})")
