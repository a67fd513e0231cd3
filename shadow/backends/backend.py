"""What every backend offers: greedy answers, and probabilities of given answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from monitor.model import Message, Output, Sampling
from shadow.errors import Unanswered


@dataclass(frozen=True, slots=True, weakref_slot=True, eq=False)
class Request:
    """What a build is asked, parsed once for all arms. Compared by identity, so that it can key a cache.

    `tools` and `response_format` are parsed JSON in OpenAI's form. `max_tokens` bounds the answer; `capped` says
    that the bound is the replay's and not the caller's, so an answer that reaches it is not known to its end.
    """

    id: str
    messages: tuple[Message, ...]
    tools: list[Any] | None = None
    response_format: dict[str, Any] | None = None
    sampling: Sampling = field(default_factory=Sampling)
    max_tokens: int = 256
    capped: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class TokenScores:
    """How probable a build finds the n tokens of a given answer (teacher-forced), in nats.

    `context` is the number of prompt tokens before the answer. `token_ids`, `logprobs` and `top` (the most
    probable token instead) have shape (n,). `distribution` holds log-probabilities, float32. Up to
    `FULL_VOCABULARY` entries it is the whole log-softmax, shape (n, vocabulary), and `support` is None. For larger
    vocabularies only the `TOP` most probable tokens are kept, `support` names them, shape (n, TOP), and the
    remainder mass is one minus their sum. `structural` marks tokens made of JSON punctuation and white space only,
    `rarity` is the stratum of `shadow.fidelity.rarity_strata` by this build, None where the build cannot say.
    Large: drop it after each batch.
    """

    context: int
    token_ids: NDArray[np.int32]
    logprobs: NDArray[np.float32]
    top: NDArray[np.int32]
    distribution: NDArray[np.float32]
    support: NDArray[np.int32] | None
    structural: NDArray[np.bool_]
    rarity: NDArray[np.uint8] | None


FULL_VOCABULARY = 4_096
TOP = 512


class Backend(Protocol):
    """One build that can answer again. Answers are greedy and do not depend on the order of requests.

    Requests that `check` refuses must not be given to the other methods.
    """

    @property
    def name(self) -> str: ...

    def check(self, request: Request) -> None:
        """Raises `NotReplayable` if this build has no answer to the request."""
        ...

    def generate(
        self, requests: Sequence[Request], scores: Sequence[TokenScores | None] | None = None
    ) -> Sequence[Output | Unanswered]:
        """One answer per request, or why it has none. `scores`, if given, are this build's own of the logged answers.

        They save work and change no answer: up to where its most probable token differs, a logged answer is the
        build's own greedy answer already.
        """
        ...

    def score(self, requests: Sequence[Request], outputs: Sequence[Output | None]) -> list[TokenScores | None]:
        """Probabilities of given answers, one per request; None without an answer or without probabilities."""
        ...


@runtime_checkable
class RemoteBackend(Backend, Protocol):
    """A build behind a server: each request is asked on its own, beside the other builds', and may fail alone."""

    def begin(self, seconds: float) -> None:
        """All calls from now until the next `begin` are done within `seconds`."""
        ...
