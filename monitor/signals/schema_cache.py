"""JSON Schemas compiled once: from raw bytes to the question "is this parsed value valid?"."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

import jsonschema_rs
import msgspec
import orjson
import xxhash

Compiled = TypeVar("Compiled")
IsValid = Callable[[Any], bool]

LIMIT = 1_024
_PATTERNS = jsonschema_rs.FancyRegexOptions(backtrack_limit=100_000)


def compiled(schema: Any) -> jsonschema_rs.Validator | None:
    """The validator of a parsed schema, formats checked; None if the schema is broken or lies elsewhere.

    Nothing is fetched: a schema that refers to another document is broken. The draft is the one that the
    schema names, else 2020-12.
    """
    try:
        return jsonschema_rs.validator_for(schema, validate_formats=True, offline=True, pattern_options=_PATTERNS)
    except Exception:  # the library raises ValueError, ValidationError and ReferencingError, all of one cause
        return None


def schema_check(raw: bytes) -> IsValid | None:
    """The check of a raw schema, or None if it is broken."""
    try:
        validator = compiled(orjson.loads(raw))
    except orjson.JSONDecodeError:
        return None
    return None if validator is None else validator.is_valid


def holds(valid: IsValid, value: Any) -> bool:
    """Whether a parsed value is valid; one that the library gives up on is not."""
    try:
        return valid(value)
    except ValueError:
        return False


def first_error(schema: Any, value: Any) -> tuple[str, str] | None:
    """Where a parsed value first breaks a parsed schema (a JSON pointer) and by which keyword; None if nowhere."""
    validator = compiled(schema)
    if validator is None:
        return None
    try:
        error = next(iter(validator.iter_errors(value)), None)
    except ValueError:  # too deep for the library to report on
        return None if holds(validator.is_valid, value) else ("", "depth")
    if error is None:
        return None
    return "".join(f"/{_escaped(step)}" for step in error.instance_path), error.kind.name


def _escaped(step: str | int) -> str:
    return str(step).replace("~", "~0").replace("/", "~1")


class Compiling(Generic[Compiled]):
    """Remembers what `build` made of raw bytes, for the most recently used ones, at most `limit` of them.

    Keys are 128-bit hashes, so that the bytes are neither copied nor kept. Two generations stand in for an exact
    order of use: the older one is dropped as a whole, and a hit costs one look-up.
    """

    def __init__(self, build: Callable[[bytes], Compiled], limit: int = LIMIT) -> None:
        self._build = build
        self._half = max(1, limit // 2)
        self._young: dict[bytes, Compiled] = {}
        self._old: dict[bytes, Compiled] = {}

    def __len__(self) -> int:
        return len(self._young) + len(self._old)

    def get(self, raw: msgspec.Raw | bytes) -> Compiled:
        key = xxhash.xxh3_128_digest(raw)
        found = self._young.get(key, self)
        return self._recall(key, raw) if found is self else found  # type: ignore[return-value]

    def all(self, raws: Sequence[msgspec.Raw]) -> list[Compiled]:
        """The same of many."""
        keys, young = list(map(xxhash.xxh3_128_digest, raws)), self._young
        try:
            return [young[key] for key in keys]
        except KeyError:
            return [self._recall(key, raw) for key, raw in zip(keys, raws, strict=True)]

    def _recall(self, key: bytes, raw: msgspec.Raw | bytes) -> Compiled:
        if key in self._young:
            return self._young[key]
        value = self._old.pop(key) if key in self._old else self._build(bytes(raw))
        if len(self._young) >= self._half:
            self._young, self._old = {}, self._young
        self._young[key] = value
        return value
