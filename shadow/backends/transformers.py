"""Builds run in this process by transformers and torchao, on the CPU. The only backend that imports torch."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from monitor.model import Output, Sampling
from shadow.backends.backend import FULL_VOCABULARY, TOP, Request, TokenScores
from shadow.backends.batches import by_area, by_length
from shadow.backends.chat import Chat
from shadow.backends.greedy import Continuation, answer_logprobs, continue_greedily, one_token_contexts
from shadow.backends.quantization import quantize, quiet
from shadow.errors import BackendError, NotReplayable
from shadow.fidelity import rarity_strata

LOGITS = 2**26
"""At most so many logits are held for one batch of more than one answer (256 MB)."""


def _read(folder: Path, dtype: str) -> tuple[Any, Any]:
    """Model and tokenizer of a local folder; nothing is ever fetched."""
    with quiet():
        from transformers import AutoModelForCausalLM, AutoTokenizer
        from transformers.utils import logging

        logging.disable_progress_bar()  # type: ignore[no-untyped-call]
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        model: Any = AutoModelForCausalLM.from_pretrained(
            folder, local_files_only=True, dtype=getattr(torch, dtype), use_safetensors=True
        )
    return model.eval(), tokenizer


def _penalised(sampling: Sampling) -> bool:
    """Whether a request asks for other than the likeliest tokens."""
    added = sampling.presence_penalty or sampling.frequency_penalty
    return bool(added) or sampling.repetition_penalty not in (None, 1)


def _ends(model: Any, tokenizer: Any) -> frozenset[int]:
    named = model.generation_config.eos_token_id
    if named is None:
        named = tokenizer.eos_token_id
    return frozenset(named if isinstance(named, list) else [named])


class TransformersBackend:
    """One build in this process, one thread, plain argmax (a model's own repetition penalties are not applied).

    Requests are sorted by length and run `batch` at a time. Answers are the same for every arrangement, except
    where two tokens are equally probable to the last bit (float32: about 1e-6 nats).
    """

    def __init__(self, model: Any, tokenizer: Any, name: str, batch: int = 32) -> None:
        self.model = model
        self.name = name
        self.batch = batch
        self.chat = Chat(tokenizer, _ends(model, tokenizer))
        self.vocabulary = int(model.config.vocab_size)
        self.context = int(getattr(model.config, "max_position_embeddings", 0)) or 2**31
        self._pad = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else 0

    @classmethod
    def load(
        cls, folder: Path, *, dtype: str = "float32", quantization: str | None = None, name: str | None = None
    ) -> TransformersBackend:
        """Opens a folder in the Hugging Face layout, quantized in this process if asked.

        Sets torch to one thread: more gain next to nothing and lose much when the machine is busy. Raises
        `BackendError` for a folder that is no such model, has no chat template, or an unknown format.
        """
        torch.set_num_threads(1)
        if not (folder / "config.json").is_file():
            raise BackendError(f"no model in {folder}: config.json is missing")
        try:
            model, tokenizer = _read(folder, dtype)
        except (OSError, ValueError, ImportError) as error:
            raise BackendError(f"the model in {folder} cannot be read: {error}") from None
        if not tokenizer.chat_template:
            raise BackendError(f"the model in {folder} has no chat template")
        if quantization is not None:
            quantize(model, quantization, model.get_output_embeddings())
        return cls(model, tokenizer, name or folder.name)

    def check(self, request: Request) -> None:
        """Refuses what the template refuses, prompts that leave no room for a token, and penalties: it has none."""
        if _penalised(request.sampling):
            raise NotReplayable("penalties")
        if len(self.chat.prompt(request)) >= self.context:
            raise NotReplayable("longer than the context")

    def generate(self, requests: Sequence[Request], scores: Sequence[TokenScores | None] | None = None) -> list[Output]:
        """Greedy answers with token ids (the end token included) and their log-probabilities."""
        prompts = [self.chat.prompt(request) for request in requests]
        limits = [
            min(request.max_tokens, self.context - len(prompt))
            for request, prompt in zip(requests, prompts, strict=True)
        ]
        answers = [
            _agreed(score, limit, self.chat.ends)
            for score, limit in zip(scores or [None] * len(requests), limits, strict=True)
        ]
        short = [n for n, answer in enumerate(answers) if not answer.ended and len(answer.tokens) < limits[n]]
        lengths = [len(prompt) + len(answer.tokens) for prompt, answer in zip(prompts, answers, strict=True)]
        for part in by_length(lengths, short, self.batch):
            more = continue_greedily(
                self.model,
                [[*prompts[n], *answers[n].tokens] for n in part],
                [limits[n] - len(answers[n].tokens) for n in part],
                self.chat.ends,
                self._pad,
            )
            for n, continuation in zip(part, more, strict=True):
                answers[n] = answers[n].then(continuation)
        return [
            self.chat.output(request, answer.tokens, answer.logprobs, ended=answer.ended)
            for request, answer in zip(requests, answers, strict=True)
        ]

    def score(self, requests: Sequence[Request], outputs: Sequence[Output | None]) -> list[TokenScores | None]:
        """Teacher-forced probabilities; an answer that outgrows the context is scored up to there."""
        prompts = [self.chat.prompt(request) for request in requests]
        answers = [
            self.chat.answer(request, output)[: self.context - len(prompt)] if output is not None else []
            for request, output, prompt in zip(requests, outputs, prompts, strict=True)
        ]
        scores: list[TokenScores | None] = [None] * len(requests)
        numbers = [number for number, answer in enumerate(answers) if answer]
        area = LOGITS // self.vocabulary
        for part in by_area([*map(len, prompts)], [*map(len, answers)], numbers, self.batch, area):
            tables = answer_logprobs(self.model, [prompts[n] for n in part], [answers[n] for n in part], self._pad)
            for n, table in zip(part, tables, strict=True):
                scores[n] = self._scores(len(prompts[n]), answers[n], table)
        return scores

    def _scores(self, context: int, answer: Sequence[int], table: Tensor) -> TokenScores:
        tokens = np.array(answer, dtype=np.int32)
        support = None
        distribution = table
        if table.shape[1] > FULL_VOCABULARY:
            distribution, best = table.topk(TOP, dim=1)
            support = best.to(torch.int32).numpy()
        return TokenScores(
            context=context,
            token_ids=tokens,
            logprobs=table[torch.arange(len(answer)), torch.tensor(answer)].numpy(),
            top=table.argmax(dim=1).to(torch.int32).numpy(),
            distribution=distribution.numpy(),
            support=support,
            structural=self._structural[tokens],
            rarity=self._rarity[tokens],
        )

    @cached_property
    def _structural(self) -> NDArray[np.bool_]:
        return self.chat.structural(self.vocabulary)

    @cached_property
    def _rarity(self) -> NDArray[np.uint8]:
        return rarity_strata(one_token_contexts(self.model, self.vocabulary).numpy())


def _agreed(score: TokenScores | None, limit: int, ends: frozenset[int]) -> Continuation:
    """The start of a logged answer that is the build's own greedy answer too, at most `limit` tokens."""
    if score is None:
        return Continuation()
    answer = Continuation()
    rows = zip(score.token_ids.tolist(), score.top.tolist(), score.logprobs.tolist(), strict=True)
    for token, top, logprob in itertools.islice(rows, limit):
        if token != top:
            break
        answer.tokens.append(token)
        answer.logprobs.append(logprob)
        if token in ends:
            answer.ended = True
            break
    return answer
