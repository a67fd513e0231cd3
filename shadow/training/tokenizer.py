"""The byte-level BPE tokenizer and the chat template that every prompt is rendered with."""

from collections.abc import Iterable
from functools import cache
from typing import Any

from jinja2.sandbox import ImmutableSandboxedEnvironment
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from shadow.training.example import Example

VOCABULARY = 1024
END, PAD = "<|end|>", "<|pad|>"
SPECIAL = (PAD, END, "<|system|>", "<|user|>", "<|assistant|>", "<|tool|>", "<|tools|>", "<|format|>")

# Names of tools, arguments and properties only: types and descriptions would triple the prompt.
# An assistant's earlier call is written as it was generated, so a replayed conversation reads the same.
CHAT_TEMPLATE = (
    "{%- if tools -%}<|tools|>"
    "{%- for tool in tools -%}{%- set f = tool.function if tool.function is defined else tool -%}"
    "{{ f.name }}({{ (f.parameters.properties | default({})) | join(',') }})"
    "{{ ';' if not loop.last else '' }}{%- endfor -%}<|end|>{%- endif -%}"
    "{%- if response_format is defined and response_format and response_format.json_schema is defined -%}"
    "{%- set s = response_format.json_schema.schema -%}<|format|>"
    "{%- if s.type == 'array' -%}[{{ (s['items'].properties | default({})) | join(',') }}]"
    "{%- else -%}{{ (s.properties | default({})) | join(',') }}{%- endif -%}<|end|>{%- endif -%}"
    "{%- for message in messages -%}<|{{ message.role }}|>"
    "{%- if message.content -%}{{ message.content }}{%- endif -%}"
    "{%- if message.tool_calls is defined and message.tool_calls -%}{%- for call in message.tool_calls -%}"
    '{"name":"{{ call.function.name }}","arguments":'
    "{%- if call.function.arguments is string -%}{{ call.function.arguments }}"
    "{%- else -%}{{ call.function.arguments | tojson(separators=(',', ':')) }}{%- endif -%}}"
    "{%- endfor -%}{%- endif -%}<|end|>{%- endfor -%}"
    "{%- if add_generation_prompt -%}<|assistant|>{%- endif -%}"
)


def train_tokenizer(texts: Iterable[str]) -> PreTrainedTokenizerFast:
    """A tokenizer with `VOCABULARY` entries, every digit a token of its own, and the chat template set."""
    core = Tokenizer(models.BPE())
    core.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Digits(individual_digits=True),
            # A space is a token of its own, so that a word has the same tokens after a space as after a
            # quote: a small model never learns to copy "Oslo" from " Oslo" if these are different tokens.
            # No merge has a space in it, so the plain GPT-2 pattern gives the same tokens in all but a few
            # texts (an apostrophe after a space).
            pre_tokenizers.Split(" ", "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
    core.decoder = decoders.ByteLevel()
    core.train_from_iterator(
        texts,
        trainers.BpeTrainer(
            vocab_size=VOCABULARY,
            special_tokens=list(SPECIAL),
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        ),
    )
    tokenizer = PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=core,
        eos_token=END,
        pad_token=PAD,
        additional_special_tokens=list(SPECIAL[2:]),
        clean_up_tokenization_spaces=False,
        model_max_length=512,
    )
    tokenizer.chat_template = CHAT_TEMPLATE
    return tokenizer


@cache
def _template() -> Any:
    # transformers compiles chat templates with the same environment; a test holds the two texts together.
    return ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True).from_string(CHAT_TEMPLATE)


def prompt_text(example: Example) -> str:
    """The text before the answer: what `apply_chat_template(..., add_generation_prompt=True)` gives."""
    rendered: str = _template().render(
        messages=list(example.messages),
        tools=list(example.tools) if example.tools else None,
        response_format=example.response_format,
        add_generation_prompt=True,
    )
    return rendered
