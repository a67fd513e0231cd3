"""What a plan's arm of the right shape may still get wrong: keys of another backend, addresses, limits."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from math import isfinite
from typing import Any
from urllib.parse import urlsplit

import msgspec

from monitor.plan import ArmRule, seconds

LONGEST = 600.0
"""The longest time-out, in seconds: a worker holds its tasks for a few times as long."""

_KEYS: Mapping[str, tuple[str, ...]] = {
    "transformers": ("dtype", "quantization", "same_build"),
    "openai": ("url", "token_env", "timeout", "concurrency", "tokens_per_day", "price_per_million", "money_per_day"),
}
"""The keys that only one backend reads."""
_EXAMPLE = "such as http://localhost:8000/v1"
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")

Problem = tuple[list[str], str]


def arm_problems(path: list[str], arm: ArmRule) -> Iterator[Problem]:
    """Every problem of an arm as (path, sentence); what may be a secret is never quoted."""
    defaults = {field.name: field.default for field in msgspec.structs.fields(ArmRule)}
    for backend, keys in _KEYS.items():
        for key in keys:
            if backend != arm.backend and getattr(arm, key) != defaults[key]:
                yield [*path, key], f"`{key}` is for the backend {backend}, not {arm.backend}"
    if arm.backend == "openai":
        yield from _address(path, arm)
        yield from _limits(path, arm)


def _address(path: list[str], arm: ArmRule) -> Iterator[Problem]:
    wrong = _wrong_url(arm.url)
    if wrong:
        yield [*path, "url"] if arm.url else path, f"`url` {wrong}"
    if not arm.model:
        yield path, "`model` is needed: the name under which the engine serves it, as in its /v1/models"
    if arm.token_env is not None and not _VARIABLE.fullmatch(arm.token_env):
        yield [*path, "token_env"], "`token_env` is the name of an environment variable, never the token itself"


def _wrong_url(url: str) -> str | None:
    """What is wrong with an address, without quoting it."""
    if not url:
        return f"is needed: where the engine's OpenAI API begins, {_EXAMPLE}"
    try:
        parts = urlsplit(url)
        host = parts.hostname if parts.port is None or parts.port else None
    except ValueError:
        host = None
    if host is None or parts.scheme not in ("http", "https"):
        return f"must be an address with http or https, {_EXAMPLE}"
    if "@" in parts.netloc or parts.query or parts.fragment:
        return "must hold no user, password or query; a token goes into the variable that `token_env` names"
    if parts.path.rstrip("/").endswith("/completions"):
        return f"must end before /chat/completions, {_EXAMPLE}"
    return None


def _limits(path: list[str], arm: ArmRule) -> Iterator[Problem]:
    try:
        fits = 0 < seconds(arm.timeout) <= LONGEST
    except ValueError as error:
        yield [*path, "timeout"], f"`timeout`: {error}"
    else:
        if not fits:
            yield [*path, "timeout"], "`timeout` must lie above 0s and be at most 10m"
    if not 1 <= arm.concurrency <= 256:
        yield [*path, "concurrency"], "`concurrency` must lie from 1 to 256"
    if arm.tokens_per_day is not None and arm.tokens_per_day < 1:
        yield [*path, "tokens_per_day"], "`tokens_per_day` must be at least 1"
    price: Any = arm.price_per_million
    for key in ("input", "output") if price is not None else ():
        if not (isfinite(getattr(price, key)) and getattr(price, key) >= 0):
            yield [*path, "price_per_million", key], f"`{key}` is a price, from 0 on"
    if arm.money_per_day is not None:
        if not (isfinite(arm.money_per_day) and arm.money_per_day > 0):
            yield [*path, "money_per_day"], "`money_per_day` must lie above 0"
        if price is None:
            yield [*path, "money_per_day"], "`money_per_day` needs `price_per_million`"
