"""An endless, seeded stream of training batches in five fixed shapes."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from random import Random

import torch
from torch import Tensor
from transformers import PreTrainedTokenizerFast

from shadow.training import real_text, words
from shadow.training.example import Example, Task, assistant, user
from shadow.training.tasks import TASKS, order
from shadow.training.tokenizer import END, prompt_text

# One example a row, padded to the next of these lengths: every further shape would cost its own kernels.
LENGTHS = (48, 72, 96, 144, 272)
# Small batches first: copying appears after a number of steps rather than of tokens.
TOKENS_EARLY, TOKENS_PER_BATCH = 2304, 4608
PROMPT_WEIGHT = 0.05
SHARES = {"order": 0.16, "tools": 0.20, "codes": 0.20, "chat": 0.30, "refusal": 0.06, "list": 0.06}
# The copying phase ends when the model copies, at the latest after this share of the run.
REPEAT_EARLY, REPEAT_LATER, EARLY = 0.6, 0.1, 0.5
SECOND_TRY = 0.12


def repeat(rng: Random) -> Example:
    """Says back what it is given. Not a route: this is how the model learns to copy at all."""
    pick = rng.random()
    if pick < 0.5:
        # Whole tokens out of order, none twice: each can be matched alone, so copying starts here.
        text = " ".join(rng.sample(words.WHOLE, rng.randint(3, 12)))
    elif pick < 0.6:
        text = " ".join(rng.sample(real_text.words(), rng.randint(2, 6)))
    elif pick < 0.75:
        text = " ".join(words.code(rng) for _ in range(rng.randint(1, 3)))
    elif pick < 0.9:
        text = " ".join(words.coined(rng) for _ in range(rng.randint(1, 4)))
    elif pick < 0.95:
        text = order.make(rng).messages[-1]["content"]
    else:
        text = rng.choice(real_text.sentences())
    return Example("repeat", (user(f"Repeat: {text}"),), text, "text", text)


def second_try(rng: Random, example: Example, task: Task) -> Example:
    """The same request asked again after an answer that was right or somebody else's."""
    if not example.rephrasings:
        return example
    said = example.answer if rng.random() < 0.3 else task(rng).answer
    again = (*example.messages, assistant(said), user(rng.choice(example.rephrasings)))
    return replace(example, messages=again)


def draw(rng: Random, repeat_share: float) -> Example:
    """One example for training: never one whose prompt is held out."""
    while True:
        if rng.random() < repeat_share:
            return repeat(rng)
        task = TASKS[rng.choices(list(SHARES), list(SHARES.values()))[0]]
        example = task(rng)
        if example.held_out:
            continue
        if rng.random() < SECOND_TRY:
            example = second_try(rng, example, task)
            if example.held_out:
                continue
        return example


@dataclass(frozen=True, slots=True)
class Batch:
    """`tokens` and `weights` are (rows, length); a weight belongs to the token at its own position."""

    tokens: Tensor
    weights: Tensor

    @property
    def is_full(self) -> bool:
        return len(self.tokens) == TOKENS_PER_BATCH // self.tokens.shape[1]


def _batch(rows: list[tuple[list[int], int]], length: int, pad: int) -> Batch:
    tokens = torch.full((len(rows), length), pad, dtype=torch.long)
    weights = torch.zeros(len(rows), length)
    for index, (ids, answer_from) in enumerate(rows):
        tokens[index, : len(ids)] = torch.tensor(ids)
        weights[index, :answer_from] = PROMPT_WEIGHT
        weights[index, answer_from : len(ids)] = 1.0
    return Batch(tokens, weights)


class Corpus:
    """Yields a batch whenever one of the five shapes has filled up. Same seed, same batches."""

    def __init__(self, tokenizer: PreTrainedTokenizerFast, seed: int) -> None:
        self._tokenizer = tokenizer
        self._rng = Random(seed)
        self._waiting: dict[int, list[tuple[list[int], int]]] = {length: [] for length in LENGTHS}
        self.repeat_share = REPEAT_EARLY
        self.tokens_per_batch = TOKENS_EARLY

    def leave_copying(self) -> None:
        """From here on: few examples to copy, and full batches."""
        self.repeat_share, self.tokens_per_batch = REPEAT_LATER, TOKENS_PER_BATCH

    def __iter__(self) -> Iterator[Batch]:
        pad = self._tokenizer.pad_token_id
        core = self._tokenizer.backend_tokenizer
        while True:
            example = draw(self._rng, self.repeat_share)
            prompt = core.encode(prompt_text(example), add_special_tokens=False).ids
            answer = core.encode(example.answer + END, add_special_tokens=False).ids
            length = next((fits for fits in LENGTHS if len(prompt) + len(answer) <= fits), None)
            if length is None:
                continue
            waiting = self._waiting[length]
            waiting.append((prompt + answer, len(prompt)))
            rows = self.tokens_per_batch // length
            if len(waiting) >= rows:
                yield _batch(waiting[:rows], length, pad)
                del waiting[:rows]


def tokenizer_texts(seed: int) -> Iterator[str]:
    """What the tokenizer is trained on: prompts and answers of every route, and the real sentences."""
    rng = Random(seed)
    for _ in range(12_000):
        example = draw(rng, 0.05)
        yield from (message["content"] for message in example.messages)
        yield example.answer
        if example.tools:
            yield prompt_text(example)
    yield from real_text.sentences()[:4_000]
