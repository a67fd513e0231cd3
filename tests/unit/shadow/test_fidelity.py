"""The numbers of a token-level comparison, against what they mean."""

from __future__ import annotations

import numpy as np
import pytest

from monitor.model import Output, ToolCall
from monitor.signals.fidelity import same_answer
from shadow.backends.backend import TokenScores
from shadow.fidelity import compare, kl, position_strata, rarity_strata


def scores(
    logits: np.ndarray, tokens: list[int] | None = None, kept: int | None = None, context: int = 10
) -> TokenScores:
    table = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    answer = np.array(tokens if tokens is not None else table.argmax(axis=1), dtype=np.int32)
    support = None
    distribution = table
    if kept is not None:
        support = np.argsort(-table, axis=1)[:, :kept].astype(np.int32)
        distribution = np.take_along_axis(table, support, axis=1)
    return TokenScores(
        context=context,
        token_ids=answer,
        logprobs=table[np.arange(len(answer)), answer].astype(np.float32),
        top=table.argmax(axis=1).astype(np.int32),
        distribution=distribution.astype(np.float32),
        support=support,
        structural=answer % 2 == 0,
        rarity=(answer % 4).astype(np.uint8),
    )


@pytest.fixture
def logits() -> np.ndarray:
    return np.random.default_rng(3).normal(0, 3, size=(40, 50))


def test_kl_is_the_textbook_sum(logits: np.ndarray) -> None:
    other = logits + np.random.default_rng(4).normal(0, 0.3, logits.shape)
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    q = np.exp(other) / np.exp(other).sum(axis=1, keepdims=True)
    assert kl(scores(logits), scores(other)) == pytest.approx((p * np.log(p / q)).sum(axis=1), abs=1e-6)


def test_a_build_does_not_differ_from_itself(logits: np.ndarray) -> None:
    for kept in (None, 20):
        assert kl(scores(logits, kept=kept), scores(logits, kept=kept)).max() == pytest.approx(0.0, abs=1e-6)


def test_kept_tokens_never_overstate_and_hardly_understate(logits: np.ndarray) -> None:
    other = logits + np.random.default_rng(4).normal(0, 0.3, logits.shape)
    whole = kl(scores(logits), scores(other))
    lumped = kl(scores(logits, kept=20), scores(other, kept=20))
    assert (lumped <= whole + 1e-6).all()
    assert lumped.mean() > 0.9 * whole.mean()


def test_compare_counts_per_stratum(logits: np.ndarray) -> None:
    reference = scores(logits, context=50)
    moved = logits.copy()
    moved[[7, 30], :] = -moved[[7, 30], :]
    found = compare(reference, scores(moved, reference.token_ids.tolist(), context=50), flipped=True)
    assert found.tokens == 40
    assert found.first_divergence == 7
    assert found.same_top == pytest.approx(38 / 40)
    assert found.flipped is True
    assert found.mean_logprob_gap is not None
    assert found.mean_logprob_gap > 0
    assert found.by_position == ((14, 1), (26, 1), (0, 0), (0, 0))
    assert [sum(column) for column in zip(*found.by_rarity, strict=True)] == [40, 2]
    structural = reference.structural
    assert found.by_structure == (int(structural.sum()), int(structural[[7, 30]].sum()))


def test_without_divergence_there_is_no_first(logits: np.ndarray) -> None:
    found = compare(scores(logits), scores(logits), flipped=False)
    assert (found.first_divergence, found.same_top, found.flipped) == (None, 1.0, False)


def test_other_tokens_are_not_compared(logits: np.ndarray) -> None:
    other = scores(logits, [0] * 40)
    for found in (compare(scores(logits), other, True), compare(None, other, True), compare(other, None, True)):
        assert (found.tokens, found.mean_kl, found.flipped) == (0, None, True)


def test_positions_count_the_tokens_before() -> None:
    assert position_strata(62, 4).tolist() == [0, 0, 1, 1]
    assert position_strata(1_023, 2).tolist() == [2, 3]


def test_rarity_follows_mass_not_ids() -> None:
    assert rarity_strata(np.array([0.01, 0.62, 0.3, 0.06, 0.01])).tolist() == [2, 0, 1, 2, 3]
    assert rarity_strata(np.full(100, 0.01)).tolist().count(3) == 1


def test_answers_are_the_same_by_what_they_say() -> None:
    assert same_answer(Output("a", token_ids=(1, 2)), Output("a", token_ids=(3,)))
    assert same_answer(Output(None), Output(""))
    assert not same_answer(Output("a"), Output("b"))
    assert not same_answer(Output(None, (ToolCall("a"),)), Output(None, (ToolCall("a", '{"x": 1}'),)))
