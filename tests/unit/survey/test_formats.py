"""What a build's name says of its weights."""

from __future__ import annotations

import pytest

from monitor.model import QuantFormat
from monitor.survey.formats import guess

PLAIN = [
    ("acme-8b-awq", QuantFormat("weight-only", 4, 128)),
    ("Llama-3.1-8B-Instruct-AWQ-INT4", QuantFormat("weight-only", 4, 128)),
    ("TheBloke/Mistral-7B-GPTQ-8bit-32g", QuantFormat("weight-only", 8, 32)),
    ("llama-3.1-8b.Q4_K_M.gguf", QuantFormat("weight-only", 4)),
    ("q4_K_M", QuantFormat("weight-only", 4)),
    ("small-Q8_0", QuantFormat("weight-only", 8, 32)),
    ("x-IQ2_XXS", QuantFormat("weight-only", 2)),
    ("shop-int8", QuantFormat("weight-only", 8)),
    ("bnb-4bit", QuantFormat("weight-only", 4)),
    ("m-4.65bpw-exl2", QuantFormat("weight-only", 4.65)),
    ("qwen-w8a8", QuantFormat("weight+activation", 8)),
    ("qwen-w4a16-g64", QuantFormat("weight-only", 4, 64)),
    ("Llama-70B-FP8-dynamic", QuantFormat("weight+activation", 8)),
    ("x-nvfp4", QuantFormat("weight+activation", 4, 16)),
    ("x-awq-fp8-kv", QuantFormat("weight-only", 4, 128, kv_cache="fp8")),
    ("some.gguf", QuantFormat("weight-only", None)),
    ("shop-bf16", QuantFormat("full-precision", 16)),
    ("model_f32", QuantFormat("full-precision", 32)),
]
SILENT = ["llama-8b", "gpt-4", "gpt-4o-mini", "mixtral-8x7b", "phi-3-mini-4k", "awqward", "prod", "kv-int8"]


@pytest.mark.parametrize(("name", "form"), PLAIN)
def test_a_plain_name_says_its_format(name: str, form: QuantFormat) -> None:
    guessed = guess(name)

    assert guessed is not None
    assert guessed.format == form
    assert all(word in name.lower() for word in guessed.words.split(", ")), "the words are the name's own"


@pytest.mark.parametrize("name", SILENT)
def test_sizes_versions_and_parts_of_words_are_no_formats(name: str) -> None:
    assert guess(name) is None


def test_the_same_bits_are_not_said_twice() -> None:
    assert getattr(guess("x-q4_k_m-8bit"), "format", None) == QuantFormat("weight-only", 4)
