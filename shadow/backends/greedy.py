"""Greedy decoding and teacher-forced scoring of padded batches. Needs torch; knows nothing of text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

SHRINK_AT = 0.75


@dataclass(slots=True)
class Continuation:
    """The tokens a build added to a prompt, their log-probabilities, and whether it ended the answer itself."""

    tokens: list[int] = field(default_factory=list)
    logprobs: list[float] = field(default_factory=list)
    ended: bool = False

    def then(self, more: Continuation) -> Continuation:
        """This and what follows it."""
        return Continuation(self.tokens + more.tokens, self.logprobs + more.logprobs, more.ended)


def left_padded(prompts: Sequence[Sequence[int]], pad: int) -> tuple[Tensor, Tensor]:
    """Token ids and mask (1 = token, 0 = padding), both of shape (prompts, longest)."""
    width = max(map(len, prompts))
    tokens = torch.tensor([[pad] * (width - len(prompt)) + list(prompt) for prompt in prompts])
    mask = torch.tensor([[0] * (width - len(prompt)) + [1] * len(prompt) for prompt in prompts])
    return tokens, mask


class _Rows:
    """A batch under way: rows that ended are dropped from the cache once a quarter of them have."""

    def __init__(self, model: Any, prompts: Sequence[Sequence[int]], pad: int) -> None:
        from transformers import DynamicCache

        self.model = model
        self.cache = DynamicCache(config=model.config)
        self.tokens, self.mask = left_padded(prompts, pad)
        self.padded = bool((self.mask == 0).any())
        self.positions = (self.mask.cumsum(1) - 1).clamp(min=0)
        self.numbers = list(range(len(prompts)))

    def advance(self) -> tuple[list[int], list[float]]:
        """The most probable next token of every row and its log-probability."""
        logits = (
            self.model(
                input_ids=self.tokens,
                attention_mask=self.mask if self.padded else None,
                position_ids=self.positions,
                past_key_values=self.cache,
                use_cache=True,
                logits_to_keep=1,
            )
            .logits[:, -1]
            .float()
        )
        best, chosen = logits.max(dim=-1)
        self.tokens, self.positions = chosen[:, None], self.positions[:, -1:] + 1
        if self.padded:
            self.mask = torch.cat((self.mask, self.mask.new_ones(len(self.numbers), 1)), dim=1)
        return chosen.tolist(), (best - logits.logsumexp(dim=-1)).tolist()

    def keep(self, numbers: Sequence[int]) -> None:
        """Goes on with these rows only."""
        wanted = set(numbers)
        index = torch.tensor([place for place, number in enumerate(self.numbers) if number in wanted])
        self.cache.batch_select_indices(index)
        self.tokens, self.positions, self.mask = self.tokens[index], self.positions[index], self.mask[index]
        self.numbers = list(numbers)


@torch.inference_mode()
def continue_greedily(
    model: Any, prompts: Sequence[Sequence[int]], limits: Sequence[int], ends: frozenset[int], pad: int
) -> list[Continuation]:
    """Extends prompts (at least one token each) token by token until an end token, which is kept, or the limit.

    Prompts are padded on the left, and padding is masked; the last bit of a log-probability may still depend on
    the batch, because matrix products of other shapes round otherwise.
    """
    results = [Continuation() for _ in prompts]
    alive = list(range(len(prompts)))
    rows = _Rows(model, prompts, pad)
    while alive:
        tokens, logprobs = rows.advance()
        open_rows = set(alive)
        for number, token, logprob in zip(rows.numbers, tokens, logprobs, strict=True):
            if number in open_rows:
                result = results[number]
                result.tokens.append(token)
                result.logprobs.append(logprob)
                result.ended = token in ends
        alive = [n for n in alive if not results[n].ended and len(results[n].tokens) < limits[n]]
        if alive and len(alive) <= SHRINK_AT * len(rows.numbers):
            rows.keep(alive)
    return results


@torch.inference_mode()
def answer_logprobs(
    model: Any, prompts: Sequence[Sequence[int]], answers: Sequence[Sequence[int]], pad: int
) -> list[Tensor]:
    """The log-softmax before each token of each answer, float32, shapes (len(answer), vocabulary).

    Rows are padded on the right; since attention is causal, padding is never seen and needs no mask.
    """
    rows = [[*prompt, *answer] for prompt, answer in zip(prompts, answers, strict=True)]
    width = max(map(len, rows))
    first = min(map(len, prompts)) - 1
    tokens = torch.tensor([row + [pad] * (width - len(row)) for row in rows])
    logits = model(input_ids=tokens, use_cache=False, logits_to_keep=torch.arange(first, width - 1)).logits
    return [
        torch.log_softmax(row[len(prompt) - 1 - first :][: len(answer)].float(), dim=-1)
        for row, prompt, answer in zip(logits, prompts, answers, strict=True)
    ]


@torch.inference_mode()
def one_token_contexts(model: Any, vocabulary: int, contexts: int = 1_024) -> Tensor:
    """The mean next-token distribution after single tokens, evenly spaced in the vocabulary; shape (vocabulary,)."""
    step = max(1, vocabulary // contexts)
    total = torch.zeros(vocabulary, dtype=torch.float64)
    tokens = torch.arange(0, vocabulary, step)
    for start in range(0, len(tokens), 128):
        logits = model(input_ids=tokens[start : start + 128, None], use_cache=False).logits[:, -1, :vocabulary]
        total += torch.softmax(logits.double(), dim=-1).sum(dim=0)
    return total / len(tokens)
