"""Greedy answers to many examples, in batches of similar length."""

from collections.abc import Sequence
from typing import Any

import torch

from shadow.training.example import Example
from shadow.training.tokenizer import prompt_text

MAX_NEW = {"list": 130}
LONGEST_ANSWER = 64


@torch.inference_mode()
def answers(model: Any, tokenizer: Any, examples: Sequence[Example], rows: int = 48) -> list[str]:
    """The generated text of every example, in the examples' order, without the end token."""
    prompts = [tokenizer.encode(prompt_text(example), add_special_tokens=False) for example in examples]
    order = sorted(range(len(prompts)), key=lambda index: len(prompts[index]))
    texts = [""] * len(prompts)
    for start in range(0, len(order), rows):
        part = order[start : start + rows]
        ids, mask = _left_padded([prompts[index] for index in part], tokenizer.pad_token_id)
        limit = max(MAX_NEW.get(examples[index].route, LONGEST_ANSWER) for index in part)
        produced = model.generate(input_ids=ids, attention_mask=mask, max_new_tokens=limit, do_sample=False)
        for index, row in zip(part, produced[:, ids.shape[1] :], strict=True):
            texts[index] = tokenizer.decode(row, skip_special_tokens=True)
    return texts


def _left_padded(rows: list[list[int]], pad: int) -> tuple[torch.Tensor, torch.Tensor]:
    width = max(map(len, rows))
    ids = torch.tensor([[pad] * (width - len(row)) + row for row in rows])
    mask = torch.tensor([[0] * (width - len(row)) + [1] * len(row) for row in rows])
    return ids, mask
