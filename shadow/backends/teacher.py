"""Teacher-forced scores from servers that have vLLM's `/tokenize` and `prompt_logprobs`.

The conversation and the logged text are tokenized by the server; their token ids are sent as one prompt, and the
server says how probable it found each. Requests with tools, and answers that are calls, are not scored: how those
become a prompt cannot be asked.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import msgspec
import numpy as np

from monitor.model import Output
from shadow.backends.backend import Request, TokenScores
from shadow.backends.chat import is_structural
from shadow.backends.http import TRIES
from shadow.backends.protocol import messages
from shadow.backends.session import Session
from shadow.errors import EngineFault

KEPT = 20
"""How many of the likeliest tokens are asked for: what vLLM allows unless it was started otherwise."""


class _Tokens(msgspec.Struct, frozen=True):
    tokens: list[int]


class _Chance(msgspec.Struct, frozen=True):
    logprob: float
    rank: int | None = None
    decoded_token: str | None = None


_Row = dict[str, _Chance] | None


class _Choice(msgspec.Struct, frozen=True):
    prompt_logprobs: list[_Row]


class _Scored(msgspec.Struct, frozen=True):
    choices: list[_Choice]


def can_be_scored(request: Request, output: Output | None) -> bool:
    """Whether a logged answer is a text to a prompt that the server can be asked for."""
    calls = any(turn.tool_calls for turn in request.messages)
    return output is not None and bool(output.text) and not output.tool_calls and not request.tools and not calls


async def score(
    session: Session, model: str, request: Request, text: str, *, prompt_tokens: int | None = None, tries: int = TRIES
) -> TokenScores:
    """How probable a model finds a text as the answer to a request; three requests.

    Raises `EngineFault`, `NotReplayable` or `Later` where it cannot be had, also where the conversation has not
    `prompt_tokens` tokens, if that is given.
    """
    root = session.at_root("/tokenize")
    conversation = {"model": model, "messages": messages(request.messages), "add_generation_prompt": True}
    prompt = await session.ask(root, conversation, _tokens, tries=tries)
    if prompt_tokens is not None and len(prompt) != prompt_tokens:
        raise EngineFault("engine_malformed", again=False)
    answer = await session.ask(
        root, {"model": model, "prompt": text, "add_special_tokens": False}, _tokens, tries=tries
    )
    both = [*prompt, *answer]
    body = {"model": model, "prompt": both, "max_tokens": 1, "temperature": 0, "prompt_logprobs": KEPT}
    read = partial(scores_of, prompt=prompt, answer=answer)
    return await session.ask("/completions", body, read, most=1, size=len(both), tries=tries)


def _tokens(data: bytes) -> list[int]:
    found: list[int] = _decoded(data, _Tokens).tokens
    if not found:
        raise EngineFault("engine_malformed", again=False)
    return found


def scores_of(data: bytes, prompt: Sequence[int], answer: Sequence[int]) -> TokenScores:
    """The scores of an answer's tokens in an answer of `/v1/completions`.

    Raises `EngineFault` unless every token that was sent has its own probability and the likeliest are there.
    """
    choices = _decoded(data, _Scored).choices
    rows = choices[0].prompt_logprobs if choices else []
    if len(rows) != len(prompt) + len(answer):
        raise EngineFault("engine_malformed", again=False, billed=True)
    ranked = [_ranked(row, token) for row, token in zip(rows[len(prompt) :], answer, strict=True)]
    chosen = [row[str(token)] for row, token in zip(rows[len(prompt) :], answer, strict=True) if row is not None]
    return TokenScores(
        context=len(prompt),
        token_ids=np.array(answer, dtype=np.int32),
        logprobs=np.array([chance.logprob for chance in chosen], dtype=np.float32),
        top=np.array([row[0][0] for row in ranked], dtype=np.int32),
        distribution=np.array([[chance for _, chance in row] for row in ranked], dtype=np.float32),
        support=np.array([[token for token, _ in row] for row in ranked], dtype=np.int32),
        structural=np.array([is_structural(chance.decoded_token or "") for chance in chosen], dtype=np.bool_),
        rarity=None,
    )


def _ranked(row: _Row, token: int) -> list[tuple[int, float]]:
    """The `KEPT` likeliest tokens of one position, likeliest first."""
    if row is None or str(token) not in row:
        raise EngineFault("engine_malformed", again=False, billed=True)
    best = sorted((-chance.logprob, chance.rank or 0, int(name)) for name, chance in row.items())[:KEPT]
    if len(best) < KEPT:
        raise EngineFault("engine_malformed", again=False, billed=True)
    return [(number, -negative) for negative, _, number in best]


def _decoded(data: bytes, shape: Any) -> Any:
    try:
        return msgspec.json.decode(data, type=shape)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise EngineFault("engine_malformed", again=False, billed=True) from None
