"""Writes the small model as GGUF, and its quantized builds by llama.cpp's own quantizer. Runs in `.venv-engines`."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gguf
import llama_cpp
import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file

BUILDS = {
    "f16": llama_cpp.LLAMA_FTYPE_MOSTLY_F16,
    "q8_0": llama_cpp.LLAMA_FTYPE_MOSTLY_Q8_0,
    "q4_0": llama_cpp.LLAMA_FTYPE_MOSTLY_Q4_0,
    "q2_k": llama_cpp.LLAMA_FTYPE_MOSTLY_Q2_K,
}
"""Each is made from `small-f32.gguf`, as `llama-quantize` would."""

# llama.cpp knows tokenizers by name. This one splits like the model's: every digit alone, then GPT-2's pattern. There
# a space goes with the word after it, here alone; no merge has a space in it, so the tokens are the same.
SPLITS = "smollm"

_LAYER = {
    "input_layernorm": "attn_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "post_attention_layernorm": "ffn_norm",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}

Tensor = NDArray[np.float32]


def convert(model: Path, target: Path) -> None:
    """The model's folder as one GGUF file in float32, with its tokenizer and its chat template."""
    config = json.loads((model / "config.json").read_text())
    writer = gguf.GGUFWriter(target, "llama")
    _put_shape(writer, config)
    _put_tokenizer(writer, model, config)
    for name, tensor in _tensors(load_file(model / "model.safetensors"), config):
        writer.add_tensor(name, tensor)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def quantize(source: Path, target: Path, kind: int) -> None:
    """One build of a GGUF file."""
    parameters = llama_cpp.llama_model_quantize_default_params()
    parameters.ftype = kind
    parameters.nthread = 1
    failed = llama_cpp.llama_model_quantize(str(source).encode(), str(target).encode(), parameters)
    if failed:
        raise SystemExit(f"llama.cpp cannot write {target.name} (code {failed})")


def _put_shape(writer: Any, config: dict[str, Any]) -> None:
    writer.add_name("quantwatch-small")
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(config["num_attention_heads"])
    writer.add_head_count_kv(config["num_key_value_heads"])
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_rope_dimension_count(config["head_dim"])
    writer.add_rope_freq_base(config["rope_parameters"]["rope_theta"])
    writer.add_vocab_size(config["vocab_size"])
    writer.add_file_type(gguf.LlamaFileType.ALL_F32)


def _put_tokenizer(writer: Any, model: Path, config: dict[str, Any]) -> None:
    core = json.loads((model / "tokenizer.json").read_text())
    vocabulary = core["model"]["vocab"]
    special = {token["id"] for token in core["added_tokens"]}
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(SPLITS)
    writer.add_token_list(sorted(vocabulary, key=vocabulary.__getitem__))
    kinds = (gguf.TokenType.NORMAL, gguf.TokenType.CONTROL)
    writer.add_token_types([kinds[number in special] for number in range(len(vocabulary))])
    writer.add_token_merges([" ".join(merge) for merge in core["model"]["merges"]])
    writer.add_eos_token_id(config["eos_token_id"])
    writer.add_pad_token_id(config["pad_token_id"])
    writer.add_add_bos_token(False)
    writer.add_chat_template((model / "chat_template.jinja").read_text())


def _tensors(weights: dict[str, Tensor], config: dict[str, Any]) -> Iterator[tuple[str, Tensor]]:
    """Every tensor under llama.cpp's name. The head is the embedding: llama.cpp takes that where there is no other."""
    yield "token_embd.weight", weights["model.embed_tokens.weight"]
    yield "output_norm.weight", weights["model.norm.weight"]
    heads = {"attn_q": config["num_attention_heads"], "attn_k": config["num_key_value_heads"]}
    for layer in range(config["num_hidden_layers"]):
        for theirs, ours in _LAYER.items():
            tensor = weights[f"model.layers.{layer}.{theirs}.weight"]
            yield f"blk.{layer}.{ours}.weight", _interleaved(tensor, heads[ours]) if ours in heads else tensor


def _interleaved(tensor: Tensor, heads: int) -> Tensor:
    """Rotary halves side by side, as llama.cpp rotates them; transformers has one after the other."""
    rows, columns = tensor.shape
    return tensor.reshape(heads, 2, rows // heads // 2, columns).swapaxes(1, 2).reshape(rows, columns)


def main() -> None:
    """`python -m tests.engines.convert MODEL FOLDER`: all builds of a model, `small-f32.gguf` first."""
    model, folder = Path(sys.argv[1]), Path(sys.argv[2])
    folder.mkdir(parents=True, exist_ok=True)
    full = folder / "small-f32.gguf"
    convert(model, full)
    for name, kind in BUILDS.items():
        quantize(full, folder / f"small-{name}.gguf", kind)


if __name__ == "__main__":
    main()
