"""Bodies of commands: small, strict JSON. Unknown keys are refused, so that a misspelt one is not ignored."""

from __future__ import annotations

from typing import Annotated, TypeVar

import msgspec
from fastapi import Depends, Request

from monitor.response.alerts import SYSTEM
from services.api.reply import Problem

MAX_COMMAND = 64 * 1024

Word = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
Remark = Annotated[str, msgspec.Meta(min_length=1, max_length=2_000)]


class Acknowledge(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Somebody looks after an alert."""

    by: Word


class Resolve(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Somebody says that an alert is over, and why."""

    by: Word
    reason: Remark


class NewSilence(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """No notifications until then (seconds since the epoch). What is not given matches anything."""

    deployment: Word
    until: Annotated[float, msgspec.Meta(ge=0, le=4_102_444_800)]
    by: Word
    comment: Remark
    variant: Word | None = None
    slice: Word | None = None
    signal: Word | None = None


Command = TypeVar("Command", Acknowledge, Resolve, NewSilence)


async def command_body(request: Request) -> bytes:
    """The body of a command; 413 if it is too long to be one."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_COMMAND:
            raise Problem(413, "too_large", f"a command has at most {MAX_COMMAND} bytes")
    return bytes(body)


Body = Annotated[bytes, Depends(command_body)]


def command(body: bytes, kind: type[Command]) -> Command:
    """The command in a body; 422 with one line that names the key, never a value."""
    try:
        wanted = msgspec.json.decode(body, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        problem = str(error) if isinstance(error, msgspec.ValidationError) else "the body is not JSON"
        raise Problem(422, "invalid", problem.splitlines()[0][:200]) from None
    if wanted.by == SYSTEM:
        raise Problem(422, "invalid", f"{SYSTEM} is the system's own name - at `$.by`")
    if b"\\u0000" in body:
        raise Problem(422, "invalid", "text with NUL cannot be stored")
    return wanted
