"""Sentences people wrote: word problems from GSM8K and user requests from BFCL (see data/SOURCE.md)."""

import gzip
import re
from functools import cache
from importlib.resources import files
from random import Random

_NUMBER = re.compile(r"(?<![\d.,/])\d{1,4}(?![\d.,/%])")


@cache
def sentences() -> tuple[str, ...]:
    """Every stored sentence: ASCII, one line, 20 to 140 characters."""
    packed = files("shadow.training").joinpath("data/sentences.txt.gz").read_bytes()
    return tuple(gzip.decompress(packed).decode().splitlines())


@cache
def words() -> tuple[str, ...]:
    """Every distinct lower-case word of the sentences, sorted."""
    return tuple(sorted({word for text in sentences() for word in text.split() if word.isalpha() and word.islower()}))


@cache
def _numbered() -> tuple[tuple[str, str], ...]:
    found = ((text, _NUMBER.search(text)) for text in sentences() if text.endswith("."))
    plain = re.compile(r"^\D*\d{1,4}\D")
    return tuple((text, match.group()) for text, match in found if match and plain.match(text))


def sentence_with_number(rng: Random) -> tuple[str, str]:
    """A statement and the first number in it, written in digits."""
    return rng.choice(_numbered())
