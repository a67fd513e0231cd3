"""Weight formats to compare, made by torchao from one full-precision model."""

import copy
from typing import Any

import torch
from torch import nn
from torchao.quantization import Int8WeightOnlyConfig, IntxWeightOnlyConfig, quantize_
from torchao.quantization.granularity import PerAxis, PerGroup

FULL = "fp32"
CONFIGS: dict[str, Any] = {
    "int8": Int8WeightOnlyConfig(),
    "int4 group 32": IntxWeightOnlyConfig(weight_dtype=torch.int4, granularity=PerGroup(32)),  # type: ignore[attr-defined]
    "int4 group 128": IntxWeightOnlyConfig(weight_dtype=torch.int4, granularity=PerGroup(128)),  # type: ignore[attr-defined]
    "int4 per channel": IntxWeightOnlyConfig(weight_dtype=torch.int4, granularity=PerAxis(0)),  # type: ignore[attr-defined]
    "int3 group 32": IntxWeightOnlyConfig(weight_dtype=torch.int3, granularity=PerGroup(32)),  # type: ignore[attr-defined]
}


def _is_body(module: nn.Module, name: str) -> bool:
    # The head shares its weights with the embedding, which stays in full precision.
    return isinstance(module, nn.Linear) and name != "lm_head"


def in_format(model: Any, name: str, dequantize: bool = True) -> Any:
    """A copy in the named format. Dequantised once at load it gives the same answers, and faster."""
    copied = copy.deepcopy(model)
    if name == FULL:
        return copied
    quantize_(copied, CONFIGS[name], filter_fn=_is_body)
    if dequantize:
        for path, module in copied.named_modules():
            if _is_body(module, path):
                plain = module.weight.dequantize().detach().float().contiguous()
                module.weight = nn.Parameter(plain, requires_grad=False)
    return copied
