"""One batch of requests to one server: so many at once, each paid for, each tried again while that may help."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

import msgspec

from shadow.backends.http import LONGEST_WAIT, TRIES, Transport, insist
from shadow.backends.limits import Amount, Limits, Purse
from shadow.backends.protocol import Json
from shadow.errors import EngineFault, Later, NotReplayable

Answer = TypeVar("Answer")
Read = Callable[[bytes], Answer]
"""Makes an answer of a body, or raises `EngineFault` if it is none."""


class _Usage(msgspec.Struct, frozen=True):
    prompt_tokens: int
    completion_tokens: int


class _Billed(msgspec.Struct, frozen=True):
    usage: _Usage


class Session:
    """The requests of one batch. `limits` and `purse` say what may be spent; without them nothing is counted.

    `until` is the loop's time by which everything is done.
    """

    def __init__(
        self, transport: Transport, url: str, concurrency: int, until: float, limits: Limits | None, purse: Purse
    ) -> None:
        self.transport = transport
        self.url = url
        self.until = until
        self.limits = limits
        self.purse = purse
        self._gate = asyncio.Semaphore(concurrency)

    def at_root(self, path: str) -> str:
        """A path beside the OpenAI API instead of inside it."""
        return f"{self.url.removesuffix('/v1')}{path}"

    async def ask(
        self,
        path: str,
        body: Json,
        read: Read[Answer],
        *,
        most: int | None = None,
        size: int | None = None,
        tries: int = TRIES,
    ) -> Answer:
        """What `read` makes of the answer; `path` is one of the API, or a whole address.

        `most` is the answer's longest length in tokens, None where asking is free; `size` bounds the tokens of what
        is sent, in place of its bytes. Raises as `insist` does, `NotReplayable` where the server refuses the
        request, and `Later` where nothing may be spent today any more.
        """
        content = msgspec.json.encode(body)
        address = path if path.startswith("http") else self.url + path

        async def attempt() -> Answer:
            if self.limits is None or most is None:
                return read(await self.transport.once("POST", address, content))
            return await self._paid(address, content, read, self.limits, self.limits.bound(size or len(content), most))

        async with self._gate:
            return await insist(attempt, self.transport.timeout, self.until, tries)

    async def _paid(self, address: str, content: bytes, read: Read[Answer], limits: Limits, bound: Amount) -> Answer:
        """One try that takes its bound from the purse and brings back what it did not cost."""
        if not await self.purse.take(bound):
            raise Later("day_spent", LONGEST_WAIT)
        used = bound  # until the bill is known
        try:
            data = await self.transport.once("POST", address, content)
            used = _bill(data, limits) or bound
            return read(data)
        except EngineFault as fault:
            used = used if fault.billed else Amount()
            raise
        except NotReplayable:
            used = Amount()
            raise
        finally:
            self.purse.bring(bound, used)


def _bill(data: bytes, limits: Limits) -> Amount | None:
    """What an answer says that it cost; None if it does not say."""
    try:
        usage = msgspec.json.decode(data, type=_Billed).usage
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return limits.bill(max(0, usage.prompt_tokens), max(0, usage.completion_tokens))
