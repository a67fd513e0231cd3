"""From an event to the request that its builds are asked again, and from a build's answers to arms."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import msgspec

from monitor.model import Event, Output, Sampling
from monitor.replay import why_not
from shadow.backends.backend import Backend, RemoteBackend, Request, TokenScores
from shadow.errors import EngineFault, Later, NotReplayable, Retry, Unanswered

_log = logging.getLogger(__name__)


def request_of(event: Event, max_tokens: int = 256) -> Request:
    """What the builds are asked. Answers are bounded by the caller's limit or by `max_tokens`, whichever is less.

    Raises `NotReplayable` for an event that no build can be asked again, as `monitor.replay` says.
    """
    if (reason := why_not(event)) is not None:
        raise NotReplayable(reason)
    sampling = event.sampling or Sampling()
    asked = sampling.max_tokens
    return Request(
        id=event.id,
        messages=event.messages or (),
        tools=_tools(event),
        response_format=_response_format(event),
        sampling=sampling,
        max_tokens=max_tokens if asked is None else max(1, min(asked, max_tokens)),
        capped=asked is None or asked > max_tokens,
    )


def _tools(event: Event) -> list[object] | None:
    return msgspec.json.decode(event.tools, type=list[object] | None) or None if bytes(event.tools) else None


def _response_format(event: Event) -> dict[str, object] | None:
    asked = event.response_format
    if asked is None:
        return None
    parsed: dict[str, object] = {"type": asked.type}
    if asked.json_schema is not None and bytes(asked.json_schema.schema):
        strict = {} if asked.json_schema.strict is None else {"strict": asked.json_schema.strict}
        schema = msgspec.json.decode(asked.json_schema.schema)
        parsed["json_schema"] = {"name": asked.json_schema.name, "schema": schema, **strict}
    return parsed


@dataclass(frozen=True, slots=True)
class Job:
    """One event to be replayed, parsed once for all its arms."""

    pair_id: str
    event: Event
    request: Request


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """What one build made of one job: the answer (or why there is none), its scores of the logged one, seconds.

    Of `output`, `refusal` (this request has no replay), `failure` (the backend failed on it) and `later` (it was not
    asked; in how many seconds it may be) one is set.
    """

    output: Output | None = None
    scores: TokenScores | None = None
    refusal: str | None = None
    failure: str | None = None
    later: float | None = None
    seconds: float = 0.0


Clock = Callable[[], float]


def answers(backend: Backend, jobs: Sequence[Job], clock: Clock) -> list[Answer]:
    """One answer per job. A batch that fails is taken apart and tried again one by one.

    Never raises for what a backend does to a job, except `Retry`; failures carry the type of the error only.
    """
    if len(jobs) > 1:
        try:
            return _batch(backend, jobs, clock)
        except Retry:
            raise
        except Exception as error:  # whatever it was, one by one tells whose it is
            _log.warning("%d replays failed together (%s); trying one by one", len(jobs), type(error).__name__)
    return [_one(backend, job, clock) for job in jobs]


def second_answers(backend: Backend, jobs: Sequence[Job], clock: Clock) -> list[Answer]:
    """The same build once more, arranged otherwise and without the shortcut: what differs from the first is noise.

    Order is reversed and a row added, so that no job sits in the batch it sat in before; every token is decoded.
    A server arranges its requests itself, and is not asked for more than is wanted.
    """
    if isinstance(backend, RemoteBackend):
        return answers(backend, jobs[::-1], clock)[::-1]
    return answers(_Plain(backend), [*reversed(jobs), jobs[0]], clock)[: len(jobs)][::-1] if jobs else []


def _batch(backend: Backend, jobs: Sequence[Job], clock: Clock) -> list[Answer]:
    started = clock()
    found: dict[int, Answer] = {}
    taken = []
    for number, job in enumerate(jobs):
        try:
            backend.check(job.request)
        except NotReplayable as refusal:
            found[number] = Answer(refusal=refusal.reason)
        else:
            taken.append(number)
    requests = [jobs[number].request for number in taken]
    scores = backend.score(requests, [jobs[number].event.output for number in taken]) if taken else []
    outputs = backend.generate(requests, scores) if taken else []
    seconds = (clock() - started) / max(1, len(taken))
    for number, output, score in zip(taken, outputs, scores, strict=True):
        found[number] = _answer(output, score, seconds)
    return [found[number] for number in range(len(jobs))]


def _answer(given: Output | Unanswered, scores: TokenScores | None, seconds: float) -> Answer:
    match given:
        case NotReplayable():
            return Answer(refusal=given.reason, seconds=seconds)
        case EngineFault():
            return Answer(failure=given.reason, seconds=seconds)
        case Later():
            return Answer(later=given.seconds)
        case _:
            return Answer(given, scores, seconds=seconds)


def _one(backend: Backend, job: Job, clock: Clock) -> Answer:
    try:
        return _batch(backend, [job], clock)[0]
    except Retry:
        raise
    except Exception as error:  # the message may hold text of the request: the type alone is kept
        return Answer(failure=f"backend failed: {type(error).__name__}")


@dataclass(frozen=True, slots=True)
class _Plain:
    """A backend that decodes every token itself."""

    backend: Backend

    @property
    def name(self) -> str:
        return self.backend.name

    def check(self, request: Request) -> None:
        self.backend.check(request)

    def generate(
        self, requests: Sequence[Request], scores: Sequence[TokenScores | None] | None = None
    ) -> Sequence[Output | Unanswered]:
        return self.backend.generate(requests)

    def score(self, requests: Sequence[Request], outputs: Sequence[Output | None]) -> list[TokenScores | None]:
        return self.backend.score(requests, outputs)
