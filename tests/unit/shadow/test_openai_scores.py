"""Teacher-forced scores over HTTP: had where a server can be trusted with them, and missing everywhere else."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import pytest

from monitor.model import Message, Output, ToolCall
from monitor.plan import ArmRule
from shadow.backends.backend import Request, TokenScores
from shadow.backends.openai import OpenAIBackend
from shadow.fidelity import compare, kl
from tests.support.engine import Engine, Json, pieces, token_id

WORDS = [f" w{number}" for number in range(30)]
LOGGED = 'one two {"three": 4}'


def likely(doubt: float) -> Callable[[Sequence[str], str], dict[str, float]]:
    """A build that gives the logged token most, and `doubt` to thirty others."""

    def scores(_before: Sequence[str], token: str) -> dict[str, float]:
        others = {word: math.log(doubt / (n + 2)) for n, word in enumerate(WORDS)}
        left = 1 - sum(math.exp(logprob) for logprob in others.values())
        return others | {token: math.log(left)}

    return scores


def unsure(before: Sequence[str], token: str) -> dict[str, float]:
    """A build that would have said something else than `two`, which is not among its twenty likeliest."""
    if token != " two":
        return likely(0.01)(before, token)
    return {word: -1.0 - n / 10 for n, word in enumerate(WORDS)} | {token: -9.0}


def say(_: Json) -> str:
    return "hello"


def ask(*turns: Message, name: str = "r", tools: list[object] | None = None) -> Request:
    return Request(name, turns or (Message("user", "count, please"),), tools)


def opened(engine: Engine) -> OpenAIBackend:
    build = OpenAIBackend(ArmRule(backend="openai", url=engine.url, model="small", timeout="2s"))
    build.connect()
    return build


def scored(engine: Engine, request: Request | None = None, text: str = LOGGED) -> TokenScores | None:
    (found,) = opened(engine).score([request or ask()], [Output(text)])
    return found


def test_every_logged_token_gets_its_probability_and_the_likeliest_instead() -> None:
    with Engine(say, scores=likely(0.01)) as engine:
        found = scored(engine)
    assert found is not None
    tokens = pieces(LOGGED)
    assert found.token_ids.tolist() == [token_id(token) for token in tokens]
    assert found.context == 1 + 3 + 1
    assert found.logprobs == pytest.approx([likely(0.01)((), token)[token] for token in tokens], abs=1e-5)
    assert found.top.tolist() == found.token_ids.tolist()
    assert found.structural.tolist() == [False, False, True, True, False, True, True, False, True]
    assert found.support is not None
    assert found.support.shape == found.distribution.shape == (len(tokens), 20)
    assert found.rarity is None


def test_two_builds_are_compared_token_by_token() -> None:
    with Engine(say, scores=likely(0.01)) as first, Engine(say, scores=unsure) as second:
        reference, deployed = scored(first), scored(second)
    found = compare(reference, deployed, flipped=False)
    assert found.tokens == len(pieces(LOGGED))
    assert found.first_divergence == 1
    assert found.same_top == pytest.approx(1 - 1 / found.tokens)
    assert found.mean_kl is not None
    assert found.mean_kl > 0.1
    assert found.by_rarity == ()
    assert sum(tokens for tokens, _ in found.by_position) == found.tokens
    assert compare(reference, reference).mean_kl == pytest.approx(0.0, abs=1e-5)


def test_kept_and_whole_distributions_can_be_compared() -> None:
    table = np.log(np.full((2, 50), 1 / 50, dtype=np.float32))
    ids = np.array([1, 2], dtype=np.int32)
    marks = np.zeros(2, dtype=np.bool_)
    whole = TokenScores(3, ids, table[:, 0], ids, table, None, marks, None)
    some = TokenScores(
        3, ids, table[:, 0], ids, table[:, :20], np.tile(np.arange(20, dtype=np.int32), (2, 1)), marks, None
    )
    assert kl(whole, some) == pytest.approx(0.0, abs=1e-4)
    assert kl(some, whole) == pytest.approx(0.0, abs=1e-4)


@pytest.mark.parametrize(
    ("request_", "output"),
    [
        (ask(tools=[{"type": "function"}]), Output("text")),
        (ask(), Output(None, (ToolCall("find"),))),
        (ask(), Output("")),
        (ask(), None),
        (ask(Message("user", "x"), Message("assistant", None, tool_calls=(ToolCall("find"),))), Output("text")),
    ],
)
def test_what_cannot_be_said_as_a_text_to_a_prompt_is_not_scored(request_: Request, output: Output | None) -> None:
    with Engine(say, scores=likely(0.01)) as engine:
        assert opened(engine).score([request_, ask()], [output, Output("fine")])[0] is None


class Crooked(Engine):
    """A server whose scores are not to be trusted, in one way or another."""

    fault = ""

    def tokenized(self, body: Json) -> Json:
        found = super().tokenized(body)
        if self.fault == "another template" and "messages" in body:
            found["tokens"] = found["tokens"][:-1]
        return {"tokens": []} if self.fault == "llama.cpp" else found

    def continued(self, body: Json) -> Json:
        found = super().continued(body)
        rows = found["choices"][0]["prompt_logprobs"]
        if self.fault == "ignored":
            del found["choices"][0]["prompt_logprobs"]
        if self.fault == "shorter":
            del rows[-1]
        if self.fault == "other tokens":
            rows[-1] = {str(int(key) + 1): value for key, value in rows[-1].items()}
        if self.fault == "few":
            rows[-1] = dict(list(rows[-1].items())[:5])
        return found


@pytest.mark.parametrize("fault", ["another template", "llama.cpp", "ignored", "shorter", "other tokens", "few"])
def test_a_server_whose_scores_cannot_be_trusted_gives_none(fault: str) -> None:
    with Crooked(say, scores=likely(0.01)) as engine:
        engine.fault = fault
        build = opened(engine)
        assert build.abilities is not None
        assert build.abilities.scores is False
        assert build.score([ask()], [Output(LOGGED)]) == [None]
        assert isinstance(build.generate([ask()])[0], Output), "the rest works all the same"


def test_a_score_that_fails_later_is_missing_alone() -> None:
    with Crooked(say, scores=likely(0.01)) as engine:
        build = opened(engine)
        assert build.score([ask()], [Output(LOGGED)])[0] is not None
        engine.fault = "shorter"
        assert build.score([ask()], [Output(LOGGED)]) == [None]
