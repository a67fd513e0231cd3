"""HTTP to one model server: whole answers within a time, retried while that may help. The only place with httpx.

Every try gets the whole time-out. Tried again are time-outs, connections that fail or end early, statuses 408, 425,
429 and 5xx, and bodies that are no answer: after 0.5 s, then twice as long each time, or when the server's
`Retry-After` says. Redirects are not followed, and proxies of the environment are not used: a token goes where the
plan says and nowhere else.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TypeVar

import httpx

from shadow.errors import EngineFault, Later, NotReplayable

Answer = TypeVar("Answer")
TRIES = 4
FIRST_PAUSE = 0.5
LONGEST_WAIT = 600.0
LARGEST = 32 * 2**20
AGENT = "quantwatch-shadow"
REFUSED = (400, 413, 422)
"""The server understood the request and will never answer it: too long, a schema or a parameter that it lacks."""
_AGAIN = (408, 425, 429)


async def insist(attempt: Callable[[], Awaitable[Answer]], timeout: float, until: float, tries: int = TRIES) -> Answer:
    """What an attempt gives, made again while that may help and fits before the loop's time `until`.

    Raises the last attempt's `EngineFault`; `Later` where there is no time for a single one, or where the server
    wants to be left alone for longer than there is; and what else an attempt raises, at once.
    """
    loop, pause = asyncio.get_running_loop(), FIRST_PAUSE
    if loop.time() + timeout > until:
        raise Later("no_time", 0.0)
    while True:
        try:
            return await attempt()
        except EngineFault as fault:
            tries -= 1
            wait = pause if fault.after is None else fault.after
            late = loop.time() + wait + timeout > until
            if fault.again and fault.after is not None and late:
                raise Later(fault.reason, min(wait, LONGEST_WAIT)) from None
            if not fault.again or late or not tries:
                raise
        await asyncio.sleep(wait)
        pause *= 2


class Transport:
    """Connections to one server; use it with `async with`. The token shows in no representation and no error."""

    def __init__(self, token: str | None, timeout: float) -> None:
        self.timeout = timeout
        headers = {"user-agent": AGENT} | ({"authorization": f"Bearer {token}"} if token else {})
        self._client = httpx.AsyncClient(headers=headers, timeout=None, trust_env=False, follow_redirects=False)

    async def __aenter__(self) -> Transport:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.aclose()

    async def once(self, method: str, address: str, content: bytes | None = None) -> bytes:
        """One try: the whole body of a 200, else `EngineFault` or `NotReplayable`."""
        try:
            async with asyncio.timeout(self.timeout):
                return await self._exchange(method, address, content)
        except (TimeoutError, httpx.TimeoutException):
            raise EngineFault("engine_timeout", billed=True) from None
        except (httpx.ConnectError, httpx.InvalidURL, httpx.UnsupportedProtocol):
            raise EngineFault("engine_unreachable") from None
        except httpx.HTTPError:
            raise EngineFault("engine_cut", billed=True) from None

    async def _exchange(self, method: str, address: str, content: bytes | None) -> bytes:
        headers = {} if content is None else {"content-type": "application/json"}
        async with self._client.stream(method, address, content=content, headers=headers) as response:
            if response.status_code != 200:
                raise _refusal(response)
            data = bytearray()
            async for part in response.aiter_bytes():
                data += part
                if len(data) > LARGEST:
                    raise EngineFault("engine_oversized", again=False, billed=True)
            return bytes(data)


def _refusal(response: httpx.Response) -> EngineFault | NotReplayable:
    status = response.status_code
    if status in REFUSED:
        return NotReplayable(f"engine_status_{status}")
    again = status in _AGAIN or status >= 500
    return EngineFault(f"engine_status_{status}", again=again, after=_after(response) if again else None)


def _after(response: httpx.Response) -> float | None:
    """The seconds of a `Retry-After`, which may be a number or a date."""
    said = response.headers.get("retry-after", "").strip()
    if said.isascii() and said.isdigit():
        return float(said)
    try:
        moment = parsedate_to_datetime(said)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - datetime.now(UTC)).total_seconds())
