"""A guess of how a build's weights are stored, from its name alone. It is for a person to confirm, never for a fact."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from monitor.model import QuantFormat

WEIGHTS: Final = "weight-only"
ACTIVATIONS: Final = "weight+activation"
FULL: Final = "full-precision"


@dataclass(frozen=True, slots=True)
class Guess:
    """A format, and the words of the name that it was guessed from."""

    format: QuantFormat
    words: str


Reading = Callable[[re.Match[str]], QuantFormat]


def guess(name: str) -> Guess | None:
    """The format that a build's name says plainly, or None. Sizes such as `8b` are no bits."""
    text = name.lower()
    cache = _CACHE.search(text)
    rest = text if cache is None else text[: cache.start()] + " " + text[cache.end() :]
    for pattern, read in _RULES:
        found = pattern.search(rest)
        if found is not None:
            return _with_rest(Guess(read(found), found[0]), rest, cache)
    return None


def _with_rest(guessed: Guess, rest: str, cache: re.Match[str] | None) -> Guess:
    """The guess with the bits, the group and the cache that other words of the name say."""
    form, words = guessed.format, [guessed.words]
    bits, group = _BITS.search(rest), _GROUP.search(rest)
    if bits is not None and form.kind != FULL and guessed.words not in bits[0] and not _SAID.search(guessed.words):
        form = replace(form, bits=float(bits[1] or bits[2] or bits[3]))
        words.append(bits[0])
    if group is not None and form.kind != FULL:
        form = replace(form, group_size=int(group[1] or group[2]))
        words.append(group[0])
    if cache is not None:
        kind = cache[1] or cache[2]
        form = replace(form, kv_cache=f"{kind} bits" if kind.isdigit() else kind)
        words.append(cache[0])
    return Guess(form, ", ".join(words))


def _word(expression: str) -> re.Pattern[str]:
    """The expression as a word of its own: no letter or digit on either side."""
    return re.compile(rf"(?<![a-z0-9])(?:{expression})(?![a-z0-9])")


def _fixed(kind: str, bits: float | None, group: int | None = None) -> Reading:
    return lambda _: QuantFormat(kind, bits, group)


def _gguf(found: re.Match[str]) -> QuantFormat:
    return QuantFormat(WEIGHTS, float(found[1]), 32 if found[2] in ("0", "1") else None)


def _named_bits(found: re.Match[str]) -> QuantFormat:
    return QuantFormat(WEIGHTS, float(next(filter(None, found.groups()))))


def _weights_and_activations(found: re.Match[str]) -> QuantFormat:
    return QuantFormat(WEIGHTS if int(found[2]) >= 16 else ACTIVATIONS, float(found[1]))


_CACHE: Final = _word(
    r"kv(?:[_-]?cache)?[_-]?(fp8|int8|int4|q8_0|q4_0|q8|q4|8|4)|(fp8|int8|int4)[_-]?kv(?:[_-]?cache)?"
)
_BITS: Final = _word(r"int([2-8])|([2-8])[_-]?bits?|([1-8](?:\.[0-9]{1,2})?)[_-]?bpw")
_GROUP: Final = _word(r"gs?[_-]?(32|64|128|256)|(32|64|128|256)g")
_SAID: Final = re.compile(r"[2-8]_|fp[48]|nf4|w[2-8]a")
"""Words that say their bits themselves."""

_RULES: Final[tuple[tuple[re.Pattern[str], Reading], ...]] = (
    (_word(r"(?:iq|tq|q)([1-8])[_-](0|1|k(?:[_-](?:xs|s|m|l|xl))?|xxs|xs|s|m|nl|xl)"), _gguf),
    (_word(r"w([2-8])a(4|8|16)(?:kv\d+)?"), _weights_and_activations),
    (_word(r"awq"), _fixed(WEIGHTS, 4.0, 128)),
    (_word(r"gptq"), _fixed(WEIGHTS, 4.0, 128)),
    (_word(r"smoothquant"), _fixed(ACTIVATIONS, 8.0)),
    (_word(r"nvfp4"), _fixed(ACTIVATIONS, 4.0, 16)),
    (_word(r"mxfp4"), _fixed(WEIGHTS, 4.0, 32)),
    (_word(r"nf4|fp4"), _fixed(WEIGHTS, 4.0)),
    (_word(r"fp8(?:[_-]dynamic)?|(?:fp8[_-])?e4m3|(?:fp8[_-])?e5m2"), _fixed(ACTIVATIONS, 8.0)),
    (_word(r"int([2-8])|([2-8])[_-]?bits?|q([2-8])|([1-8](?:\.[0-9]{1,2})?)[_-]?bpw"), _named_bits),
    (_word(r"gguf|ggml|exl[23]|hqq|aqlm|quip|bnb|autoround"), _fixed(WEIGHTS, None)),
    (_word(r"bf16|bfloat16|fp16|f16|float16"), _fixed(FULL, 16.0)),
    (_word(r"fp32|f32|float32"), _fixed(FULL, 32.0)),
)
