"""Parts of the traffic that could be slices, with their share: by structure, prompt length, tags and language.

Membership is asked of the matchers that the slices themselves use, so a share here is what the slice will have.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from monitor.model import Event
from monitor.plan import SliceRule, Where
from monitor.signals.latency import PROMPTS
from monitor.slices import ALL, language, matches, structures
from monitor.survey.builds import TAG_MARKS

LEAST: Final = 0.02
MOST: Final = 0.95
"""A smaller share of the traffic is no candidate, since its checks would hardly ever be decided; nor is a larger one,
which is all traffic again."""

FEW_VALUES: Final = 12
LONGEST_WORD: Final = 64
"""Tags with more values, and tags whose names or values are longer, are no candidates."""

_NO_SLICES: Final = ("language", *TAG_MARKS)
"""Tags that have a condition of their own, or that name the build and not the request."""

_BOUNDS: Final = (*PROMPTS, 16_384)
_BANDS: Final = ("short", "medium", "long", "very long")
_STRUCTURES: Final = {"json_schema": "json schema", "json": "json", "tools": "tools", "none": "free text"}


@dataclass(frozen=True, slots=True)
class Candidate:
    """A slice that the log suggests. `same_as` names an earlier candidate that holds the very same requests."""

    rule: SliceRule
    share: float
    same_as: str | None = None


@dataclass(frozen=True, slots=True)
class ManyValued:
    """A tag with too many values to make a slice of each."""

    tag: str
    values: int


def candidates(events: Sequence[Event]) -> list[Candidate]:
    """Candidate slices of one deployment's requests, each with between `LEAST` and `MOST` of them."""
    found: list[Candidate] = []
    members: dict[bytes, str] = {}
    names: set[str] = {ALL}
    for name, where in _wheres(events):
        held = bytes(matches(event, where) for event in events)
        count = sum(held)
        if not LEAST * len(events) <= count <= MOST * len(events):
            continue
        rule = SliceRule(name=_unused(name, names), where=where)
        found.append(Candidate(rule, count / len(events), members.get(held)))
        members.setdefault(held, rule.name)
    return found


def many_valued(events: Sequence[Event]) -> list[ManyValued]:
    """The tags that have too many values, by name."""
    values = _tag_values(events)
    return [ManyValued(tag, len(counts)) for tag, counts in sorted(values.items()) if len(counts) > FEW_VALUES]


def _wheres(events: Sequence[Event]) -> Iterator[tuple[str, Where]]:
    """Names and conditions, in the order in which they are worth a slice."""
    seen = Counter(structure for event in events for structure in structures(event))
    for structure, name in _STRUCTURES.items():
        if structure in seen:
            yield name, Where(structure=structure)  # type: ignore[arg-type]
    for band, low, high in zip(_BANDS, (None, *_BOUNDS), (*_BOUNDS, None), strict=True):
        yield band, Where(prompt_tokens_from=low, prompt_tokens_below=high)
    for tag, counts in sorted(_tag_values(events).items()):
        if len(counts) <= FEW_VALUES and tag not in _NO_SLICES:
            for value, _ in sorted(counts.items(), key=lambda item: (-item[1], item[0])):
                if len(value) <= LONGEST_WORD:
                    yield f"{tag}={value}", Where(tags={tag: value})
    for spoken, _ in sorted(Counter(map(language, events)).items(), key=lambda item: (-item[1], item[0])):
        if len(spoken) <= LONGEST_WORD:
            yield f"language={spoken}", Where(language=spoken)


def _tag_values(events: Sequence[Event]) -> dict[str, Counter[str]]:
    values: dict[str, Counter[str]] = {}
    for event in events:
        for tag, value in (event.tags or {}).items():
            if len(tag) <= LONGEST_WORD and value not in (event.conversation, event.user, event.id):
                values.setdefault(tag, Counter())[value] += 1
    return values


def _unused(name: str, names: set[str]) -> str:
    """The name, or with a number behind it where it is taken; it is taken from now on."""
    chosen, number = name, 2
    while chosen in names:
        chosen, number = f"{name} {number}", number + 1
    names.add(chosen)
    return chosen
