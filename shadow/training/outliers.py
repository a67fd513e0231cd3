"""Gives a trained model outlier channels without changing what it computes.

Large models have a few channels far larger than the rest; they are what makes 4-bit weights hard, and a small
model lacks them. Here a norm's (or the up projection's) channel is divided by a power of two and the matching
columns of the layers that read it are multiplied by the same: exact in floating point, so every logit stays.

Run: `python -m shadow.training.outliers FROM TO`.
"""

import argparse
import copy
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from transformers import AutoTokenizer, LlamaForCausalLM

from shadow.training.train import save

SHARE, FACTOR = 0.04, 8.0


def _scale(source: Tensor, readers: Iterable[Tensor], channels: Tensor, factor: float) -> None:
    """`source` is indexed by channel in its first axis, each reader in its second."""
    source[channels] /= factor
    for reader in readers:
        reader[:, channels] *= factor


@torch.no_grad()
def plant(model: Any, share: float = SHARE, factor: float = FACTOR, seed: int = 7) -> None:
    """Plants outliers in place in every layer's two norms and its up projection. `factor`: a power of two."""
    generator = torch.Generator().manual_seed(seed)

    def some_of(size: int) -> Tensor:
        return torch.randperm(size, generator=generator)[: max(1, round(size * share))]

    for layer in model.model.layers:
        attention, mlp = layer.self_attn, layer.mlp
        into_attention = [attention.q_proj.weight, attention.k_proj.weight, attention.v_proj.weight]
        norm = layer.input_layernorm.weight
        _scale(norm, into_attention, some_of(len(norm)), factor)
        norm = layer.post_attention_layernorm.weight
        _scale(norm, [mlp.gate_proj.weight, mlp.up_proj.weight], some_of(len(norm)), factor)
        up = mlp.up_proj.weight
        _scale(up, [mlp.down_proj.weight], some_of(len(up)), factor)


@torch.no_grad()
def largest_difference(one: nn.Module, other: nn.Module, token_ids: Sequence[Tensor]) -> float:
    """The largest absolute difference between two models' logits; prompts have the shape (1, length)."""
    differences = (one(input_ids=ids).logits - other(input_ids=ids).logits for ids in token_ids)
    return max(float(difference.abs().max()) for difference in differences)


def outlier_ratio(weight: Tensor) -> float:
    """Largest column over the median column, by root mean square: about 1 to 3 without planted outliers."""
    columns = weight.detach().float().pow(2).mean(0).sqrt()
    return float(columns.max() / columns.median())


def main() -> None:
    parser = argparse.ArgumentParser(description="Plant outlier channels; outputs must stay the same.")
    parser.add_argument("source", type=Path)
    parser.add_argument("target", type=Path)
    options = parser.parse_args()
    tokenizer: Any = AutoTokenizer.from_pretrained(options.source)
    model: Any = LlamaForCausalLM.from_pretrained(options.source, dtype=torch.float32)
    model.eval()
    planted = copy.deepcopy(model)
    plant(planted)
    prompts = [torch.randint(8, len(tokenizer), (1, length)) for length in (16, 64, 256)]
    difference = largest_difference(model, planted, prompts)
    if difference > 1e-4:
        raise SystemExit(f"outlier channels changed the logits by {difference}")
    save(planted, tokenizer, options.target)
    column = planted.model.layers[0].self_attn.q_proj.weight
    ratio = outlier_ratio(column)
    print(f"largest change of a logit: {difference:.1e}; largest column over median: {ratio:.1f}")


if __name__ == "__main__":
    main()
