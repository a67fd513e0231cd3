"""A build behind an OpenAI-compatible server: vLLM, llama.cpp, SGLang, a cloud API. Needs httpx, not torch."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from math import inf
from urllib.parse import urlsplit

import msgspec

from monitor.model import Output
from monitor.plan import ArmRule
from monitor.plan import seconds as duration
from shadow.backends import teacher
from shadow.backends.backend import Request, TokenScores
from shadow.backends.breaker import FIRST, Breaker
from shadow.backends.http import TRIES, Transport
from shadow.backends.limits import Account, Amount, Limits, Purse
from shadow.backends.probe import HELLO, STRUCTURED, Abilities, probe, schema_form
from shadow.backends.protocol import SCHEMA_FORMS, answered, body_of, demands_schema
from shadow.backends.session import Session
from shadow.errors import BackendError, EngineFault, Later, NotReplayable, Unanswered
from shadow.ports import Spending

_log = logging.getLogger(__name__)


class OpenAIBackend:
    """One model of one server. Requests of one call are asked concurrently and answered in order.

    Answers are greedy; whether they depend on what else the server does at the time is the server's affair, and
    shows as the noise floor. A server that fails on everything is left alone for a while: its requests are `Later`.
    `abilities` are None until the server was reached. The token shows in no representation.
    """

    def __init__(
        self,
        rule: ArmRule,
        token: str | None = None,
        spending: Spending | None = None,
        clock: Callable[[], float] = time.monotonic,
        first_pause: float = FIRST,
    ) -> None:
        self.rule = rule
        self.name = f"{rule.model}@{urlsplit(rule.url).netloc}"
        self.timeout = duration(rule.timeout)
        self.abilities: Abilities | None = None
        self.breaker = Breaker(clock, first_pause)
        self._account = Account(self.name, Limits.of(rule), spending)
        self._clock = clock
        self._deadline = inf
        self._schema_form: str | None = None  # not known before the first schema is asked for
        self._connect: Callable[[], Transport] = lambda: Transport(token, self.timeout)

    @classmethod
    def open(cls, rule: ArmRule, environment: Mapping[str, str], spending: Spending | None) -> OpenAIBackend:
        """Reads the token and asks the server what it can.

        Raises `BackendError` where the plan and the server do not fit together; a server that does not answer now
        is asked again later.
        """
        token = None
        if rule.token_env is not None:
            token = environment.get(rule.token_env)
            if not token:
                raise BackendError(f"the engine's token is not set: {rule.token_env}")
        backend = cls(rule, token, spending)
        try:
            backend.connect()
        except (EngineFault, Later) as fault:
            _log.warning("%s does not answer (%s); trying again", backend.name, fault.reason)
        return backend

    def connect(self) -> Abilities:
        """Asks the server what it can, now. Raises as `shadow.backends.probe.probe` does."""
        try:
            self.abilities = asyncio.run(self._probe())
        except EngineFault:
            self.breaker.note(answered=False)
            raise
        self.breaker.note(answered=True)
        _log.info("%s: %s", self.name, self.abilities)
        return self.abilities

    def begin(self, seconds: float) -> None:
        """All calls from now until the next `begin` are done within `seconds`."""
        self._deadline = self._clock() + seconds

    def check(self, request: Request) -> None:
        """Refuses nothing: what a server refuses, it says when it is asked."""

    def generate(
        self, requests: Sequence[Request], scores: Sequence[TokenScores | None] | None = None
    ) -> list[Output | Unanswered]:
        """The server's answers, or for each request why it has none."""
        wait = self.breaker.wait()
        if wait or not requests:
            return [Later("engine_down", wait) for _ in requests]
        learning = [STRUCTURED] * 3 if self._must_learn(requests) else []
        with self._account.purse(self._bound(request) for request in [*learning, *requests]) as purse:
            return asyncio.run(self._generate(requests, purse))

    def score(self, requests: Sequence[Request], outputs: Sequence[Output | None]) -> list[TokenScores | None]:
        """Teacher-forced probabilities where the server can; None where it cannot, or did not now."""
        able = self.abilities is not None and self.abilities.scores and not self.breaker.doubtful
        pairs = zip(requests, outputs, strict=True)
        texts = {
            n: output.text or ""
            for n, (request, output) in enumerate(pairs)
            if able and output is not None and teacher.can_be_scored(request, output)
        }
        if not texts:
            return [None] * len(requests)
        with self._account.purse(self._bound(requests[n], text) for n, text in texts.items()) as purse:
            found = asyncio.run(self._score({n: (requests[n], text) for n, text in texts.items()}, purse))
        return [found.get(n) for n in range(len(requests))]

    async def _probe(self) -> Abilities:
        with self._account.purse([self._bound(HELLO)] * 3) as purse:
            async with self._session(purse) as session:
                return await probe(session, self.rule)

    async def _generate(self, requests: Sequence[Request], purse: Purse) -> list[Output | Unanswered]:
        """After trouble the first and the last are asked alone, so that one bad request does not speak for all."""
        async with self._session(purse) as session:
            if self.abilities is None and (problem := await self._reach(session)) is not None:
                others = problem if isinstance(problem, Later) else Later("engine_down", self.breaker.wait())
                return [problem, *[others] * (len(requests) - 1)]
            if self._must_learn(requests):
                self._schema_form = await schema_form(session, self.rule)
            doubtful = self.breaker.doubtful
            found = {}
            if doubtful:
                found = await self._some(session, requests, {0, len(requests) - 1}, tries=1)
            if not self.breaker.doubtful:
                found |= await self._some(session, requests, set(range(len(requests))) - found.keys())
        later = Later("engine_down", self.breaker.wait())
        return [found.get(n, later) for n in range(len(requests))]

    def _must_learn(self, requests: Sequence[Request]) -> bool:
        """Whether it is not known yet how the server takes a schema, and one is asked for."""
        return self._schema_form is None and any(map(demands_schema, requests))

    async def _reach(self, session: Session) -> EngineFault | Later | None:
        """Asks a server that was never reached what it can; what is wrong with it now, if anything."""
        problem: EngineFault | Later
        try:
            self.abilities = await probe(session, self.rule)
        except BackendError as unfit:
            _log.warning("%s: %s", self.name, unfit)
            problem = EngineFault("engine_unfit", again=False)
        except (EngineFault, Later) as error:
            problem = error
        else:
            self.breaker.note(answered=True)
            return None
        if isinstance(problem, EngineFault):
            self.breaker.note(answered=False)
        return problem

    async def _some(
        self, session: Session, requests: Sequence[Request], numbers: Collection[int], tries: int = TRIES
    ) -> dict[int, Output | Unanswered]:
        """The answers to some of the requests, by their numbers, asked together."""
        ordered = sorted(numbers)
        found = await asyncio.gather(*(self._answer(session, requests[n], tries) for n in ordered))
        asked = [each for each in found if not isinstance(each, Later)]
        if asked:
            self.breaker.note(answered=not all(isinstance(each, EngineFault) for each in asked))
        return dict(zip(ordered, found, strict=True))

    async def _answer(self, session: Session, request: Request, tries: int) -> Output | Unanswered:
        logprobs = self.abilities is not None and self.abilities.logprobs
        body = body_of(request, self.rule.model, logprobs=logprobs, schema_form=self._schema_form or SCHEMA_FORMS[0])
        try:
            reply = await session.ask(
                "/chat/completions",
                body,
                lambda data: answered(data, self.rule.model),
                most=request.max_tokens,
                tries=tries,
            )
        except (NotReplayable, EngineFault, Later) as error:
            return error
        return reply.output

    async def _score(self, texts: Mapping[int, tuple[Request, str]], purse: Purse) -> dict[int, TokenScores | None]:
        async def one(request: Request, text: str) -> TokenScores | None:
            try:
                return await teacher.score(session, self.rule.model, request, text)
            except (NotReplayable, EngineFault, Later):
                return None

        async with self._session(purse) as session:
            found = await asyncio.gather(*(one(*each) for each in texts.values()))
        return dict(zip(texts, found, strict=True))

    @asynccontextmanager
    async def _session(self, purse: Purse) -> AsyncIterator[Session]:
        until = asyncio.get_running_loop().time() + self._deadline - self._clock()
        async with self._connect() as transport:
            yield Session(
                transport, self.rule.url.rstrip("/"), self.rule.concurrency, until, self._account.limits, purse
            )

    def _bound(self, request: Request, text: str = "") -> Amount:
        """The most that a request, or the scoring of a text as its answer, can amount to."""
        limits = self._account.limits
        if limits is None:
            return Amount()
        size = len(msgspec.json.encode(body_of(request, self.rule.model, logprobs=True)))
        return limits.bound(size + len(text.encode()), request.max_tokens)
