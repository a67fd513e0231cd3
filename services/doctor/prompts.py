"""Twenty logged prompts that stand for the traffic: every part of it, and every prompt once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import zip_longest

import msgspec

from monitor.model import Event
from monitor.replay import why_not
from monitor.watch import Watch

PROMPTS = 20
_SHORT = 4_000
_COUNTED = 3


def chosen(watch: Watch, events: Sequence[Event], context: int | None) -> list[Event]:
    """Up to `PROMPTS` requests that can be replayed and fit into `context`, in turns from every slice pattern."""
    taken = [event for event in _distinct(events) if why_not(event) is None and _fits(event, context)]
    by_pattern: dict[int, list[Event]] = {}
    for event, pattern in zip(taken, watch.slicer.patterns(taken), strict=True):
        by_pattern.setdefault(pattern, []).append(event)
    spread = [_evenly(each, PROMPTS) for each in by_pattern.values()]
    turns = [event for turn in zip_longest(*spread) for event in turn if event is not None]
    return turns[:PROMPTS]


def counted(events: Sequence[Event]) -> list[Event]:
    """A few short conversations of plain text whose prompt tokens the log tells."""
    plain = [event for event in _distinct(events) if event.prompt_tokens is not None and _is_plain(event)]
    return _evenly(plain, _COUNTED)


def _distinct(events: Sequence[Event]) -> Iterator[Event]:
    """The first of each prompt, served by a build and not brought along."""
    seen = set[bytes]()
    for event in events:
        prompt = msgspec.msgpack.encode(event.messages)
        if event.messages and prompt not in seen:
            seen.add(prompt)
            yield event


def _fits(event: Event, context: int | None) -> bool:
    return context is None or event.prompt_tokens is None or event.prompt_tokens < context


def _is_plain(event: Event) -> bool:
    """Without tools, calls or a format, which some engines write into the prompt, and short."""
    turns = event.messages or ()
    text = all(turn.content and not turn.tool_calls and turn.role in ("system", "user", "assistant") for turn in turns)
    return (
        text
        and len(bytes(event.tools)) <= 4
        and event.response_format is None
        and sum(len(turn.content or "") for turn in turns) < _SHORT
    )


def _evenly(events: list[Event], count: int) -> list[Event]:
    if len(events) <= count:
        return events
    return [events[i * len(events) // count] for i in range(count)]
