"""The quantized formats of the transformers backend, by torchao. Needs torch."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from shadow.errors import BackendError

FORMATS = ("int8", "int4-g32", "int4-g128", "int4-channel", "int3-g32")


@contextmanager
def quiet() -> Iterator[None]:
    """Silences what importing and using torchao says about its own deprecated calls, and nothing else."""
    pytree = logging.getLogger("torch.utils._pytree")
    level = pytree.level
    pytree.setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"torchao\..*")
        warnings.filterwarnings("ignore", category=DeprecationWarning, message="invalid escape sequence")
        try:
            yield
        finally:
            pytree.setLevel(level)


def _config(quantization: str) -> Any:
    from torchao.quantization import Int8WeightOnlyConfig, IntxWeightOnlyConfig
    from torchao.quantization.granularity import PerAxis, PerGroup

    if quantization == "int8":
        return Int8WeightOnlyConfig()
    bits, _, spread = quantization.removeprefix("int").partition("-")
    granularity = PerAxis(0) if spread == "channel" else PerGroup(int(spread.removeprefix("g")))
    return IntxWeightOnlyConfig(weight_dtype=getattr(torch, f"int{bits}"), granularity=granularity)


def quantize(model: nn.Module, quantization: str, kept: nn.Module | None) -> None:
    """Rounds the weights of every linear layer but `kept` (the output layer) to a format, in place.

    The rounded weights are dequantized once: the values and so the answers are those of the quantized build, and
    products run at full speed. Memory and speed are therefore not the format's. Embeddings are not touched.
    Raises `BackendError` for an unknown format, or where a layer's width is no multiple of the group.
    """
    if quantization not in FORMATS:
        raise BackendError(f"unknown quantization {quantization!r}; allowed: {', '.join(FORMATS)}")
    with quiet():
        from torchao.quantization import quantize_

        def chosen(module: nn.Module, _name: str) -> bool:
            return isinstance(module, nn.Linear) and module is not kept

        layers = [module for name, module in model.named_modules() if chosen(module, name)]
        try:
            quantize_(model, _config(quantization), filter_fn=chosen)
        except (AssertionError, RuntimeError, ValueError) as error:
            raise BackendError(f"{quantization} does not fit this model: {error}") from None
        for layer in layers:
            weight: Any = layer.weight
            layer.weight = nn.Parameter(weight.dequantize(), requires_grad=False)
