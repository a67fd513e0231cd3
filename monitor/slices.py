"""Declarative matchers over request-side attributes. Membership is remembered by what the matchers can see."""

from __future__ import annotations

import bisect
import unicodedata
from collections.abc import Sequence
from itertools import repeat
from typing import Final

import msgspec
import numpy as np
import xxhash
from numpy.typing import NDArray

from monitor.model import NO_TOOLS, Event
from monitor.plan import SliceRule, Where
from monitor.signals.questions import last_user_text

ALL: Final = "all"
_REMEMBERED: Final = 65_536

_UNTAGGED: Final[dict[str, str]] = {}

Sight = tuple[object, ...]


class Slicer:
    """Which slices an event belongs to. Slice 0 is `all`; the rest are in the plan's order.

    Events that look alike to every matcher share a *pattern*: a small integer, stable while this object lives,
    whose `mask` (packed bits, in slice order) means the same to every process under the same plan.
    """

    def __init__(self, rules: Sequence[SliceRule]) -> None:
        self.rules = (SliceRule(name=ALL), *(rule for rule in rules if rule.name != ALL))
        self.names = tuple(rule.name for rule in self.rules)
        self.digests = tuple(xxhash.xxh3_64_hexdigest(msgspec.json.encode(rule.where)) for rule in self.rules)
        wheres = [rule.where for rule in self.rules]
        self._tags = tuple(sorted({tag for where in wheres for tag in where.tags}))
        bounds = {b for w in wheres for b in (w.prompt_tokens_from, w.prompt_tokens_below) if b is not None}
        self._bounds = sorted(bounds)
        self._structure = any(where.structure for where in wheres)
        self._language = any(where.language for where in wheres)
        self._masks: list[bytes] = []
        self._members: list[NDArray[np.int64]] = []
        self._by_mask: dict[bytes, int] = {}
        self._by_sight: dict[Sight, int] = {}

    def patterns(self, events: Sequence[Event]) -> list[int]:
        """One pattern per event."""
        sights = self._sights(events)
        found = list(map(self._by_sight.get, sights))
        if None in found:
            return [self._learn(e, s) if p is None else p for p, e, s in zip(found, events, sights, strict=True)]
        return found  # type: ignore[return-value]

    def intern(self, mask: bytes) -> int:
        """The pattern of a mask that was stored by any process under this plan's slices."""
        pattern = self._by_mask.get(mask)
        if pattern is None:
            bits = np.unpackbits(np.frombuffer(mask, np.uint8), count=len(self.names))
            pattern = self._by_mask[mask] = len(self._masks)
            self._masks.append(mask)
            self._members.append(np.flatnonzero(bits))
        return pattern

    def mask(self, pattern: int) -> bytes:
        """The packed membership bits of a pattern."""
        return self._masks[pattern]

    def masks(self, patterns: Sequence[int]) -> list[bytes]:
        """The same of many."""
        return list(map(self._masks.__getitem__, patterns))

    def members(self, pattern: int) -> NDArray[np.int64]:
        """The indices of the slices that a pattern belongs to, ascending."""
        return self._members[pattern]

    def _learn(self, event: Event, sight: Sight) -> int:
        bits = np.array([matches(event, rule.where) for rule in self.rules], dtype=bool)
        pattern = self.intern(np.packbits(bits).tobytes())
        if len(self._by_sight) >= _REMEMBERED:
            self._by_sight.clear()
        self._by_sight[sight] = pattern
        return pattern

    def _sights(self, events: Sequence[Event]) -> list[Sight]:
        """All that the matchers can see of each event, as a key; gathered attribute by attribute."""
        seen: list[Sequence[object]] = [] if self._tags or self._bounds or self._structure else [(None,) * len(events)]
        if self._tags:
            tags = [event.tags or _UNTAGGED for event in events]
            seen += [list(map(dict.get, tags, repeat(name))) for name in self._tags]
        if self._bounds:
            find, bounds = bisect.bisect_right, self._bounds
            tokens = [event.prompt_tokens for event in events]
            seen.append([None if n is None else find(bounds, n) for n in tokens])
        if self._structure:
            seen.append([None if event.response_format is None else event.response_format.type for event in events])
            seen.append([event.tools is not NO_TOOLS and offers_tools(event) for event in events])
        if self._language:
            seen.append([language(event) for event in events])
        return list(zip(*seen, strict=True))


def matches(event: Event, where: Where) -> bool:
    """Whether all the conditions of `where` hold. An attribute that the event lacks matches no condition on it."""
    tags = event.tags or {}
    for tag, wanted in where.tags.items():
        value = tags.get(tag)
        if value is None or (value != wanted if isinstance(wanted, str) else value not in wanted):
            return False
    tokens = event.prompt_tokens
    if where.prompt_tokens_from is not None and (tokens is None or tokens < where.prompt_tokens_from):
        return False
    if where.prompt_tokens_below is not None and (tokens is None or tokens >= where.prompt_tokens_below):
        return False
    if where.structure is not None and where.structure not in structures(event):
        return False
    return where.language is None or language(event) == where.language


def structures(event: Event) -> tuple[str, ...]:
    """What structure the request demanded: json_schema, json, tools, or none."""
    demanded = event.response_format.type if event.response_format else None
    found = ["json_schema"] if demanded == "json_schema" else ["json"] if demanded == "json_object" else []
    if offers_tools(event):
        found.append("tools")
    return tuple(found) or ("none",)


def offers_tools(event: Event) -> bool:
    """Whether the request offered tools."""
    return bool(event.tools) and len(bytes(event.tools)) > 4


def language(event: Event) -> str:
    """The `language` tag if there is one, else the script of the last user message (`latin`, `cyrillic`, …)."""
    if event.tags and "language" in event.tags:
        return event.tags["language"]
    text = last_user_text(event)
    if text is None:
        return "unknown"
    return script(text[:400])


def script(text: str) -> str:
    """The Unicode script that most of the letters are in, by their names' first word; `latin` for ASCII."""
    if text.isascii():
        return "latin"
    counts: dict[str, int] = {}
    for character in text:
        if character.isalpha():
            word = unicodedata.name(character, "UNKNOWN").split(" ", 1)[0].lower()
            counts[word] = counts.get(word, 0) + 1
    return max(sorted(counts), key=lambda word: counts[word]) if counts else "latin"
