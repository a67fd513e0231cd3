"""A tiny random model with a byte tokenizer, saved as a folder: real code paths in milliseconds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

TEMPLATE = (
    "{%- if tools -%}<|tools|>{{ tools | length }}{%- endif -%}"
    "{%- if response_format is defined -%}<|format|>{{ response_format.type }}{%- endif -%}"
    "{%- for message in messages -%}"
    "{%- if message.role == 'tool' -%}{{ raise_exception(message.content) }}{%- endif -%}"
    "<|{{ message.role }}|>{{ message.content }}"
    "{%- for call in message.tool_calls | default([]) -%}{{ call.function | tojson }}{%- endfor -%}"
    "{%- endfor -%}<|assistant|>"
)
SPECIAL = ["<|pad|>", "<|end|>", "<|user|>", "<|assistant|>", "<|system|>", "<|tools|>", "<|format|>"]


def byte_tokenizer() -> Any:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    core = Tokenizer(models.BPE(vocab={letter: number for number, letter in enumerate(letters)}, merges=[]))
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.decoder = decoders.ByteLevel()
    core.add_special_tokens(SPECIAL)
    tokenizer: Any = PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=core, pad_token=SPECIAL[0], eos_token=SPECIAL[1]
    )
    tokenizer.chat_template = TEMPLATE
    return tokenizer


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random two-layer Llama of context 128 that ends about one answer in two by itself."""
    import torch

    from shadow.backends.quantization import quiet

    folder = tmp_path_factory.mktemp("tiny")
    with quiet():
        from transformers import LlamaConfig, LlamaForCausalLM

        tokenizer = byte_tokenizer()
        torch.manual_seed(7)
        config = LlamaConfig(
            vocab_size=len(tokenizer), hidden_size=64, intermediate_size=128, num_hidden_layers=2,
            num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=128, tie_word_embeddings=True,
            initializer_range=0.3, bos_token_id=None, eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )  # fmt: skip
        model = LlamaForCausalLM(config)  # type: ignore[no-untyped-call]
        model.generation_config.eos_token_id = [tokenizer.eos_token_id, *range(0, 200, 12)]
        model.generation_config.pad_token_id = tokenizer.pad_token_id
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
    return folder
