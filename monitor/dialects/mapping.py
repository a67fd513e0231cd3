"""The plan's `input`: where a line says what the two bodies do not. Places are tried in order.

A place is a path, a constant, or a part of the file's name. A path begins with what it goes through: `$.` the line,
`request.` and `response.` the bodies wherever they stand, `headers.` the headers, whose names match in any case.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, Literal

import msgspec
import re2

Unit = Literal["s", "ms", "us", "ns"]
Step = str | int


class Place(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Exactly one of `path`, `constant` and `file` (a regular expression with one group, over the file's name).

    `unit` is a number's, for times and durations only.
    """

    path: str | None = None
    constant: str | None = None
    file: str | None = None
    unit: Unit | None = None


Places = str | Place | tuple[str | Place, ...]
"""One place or several, in order; a text is a path."""


class TimingsRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where stage durations stand; milliseconds unless a place names another unit.

    Where the line gives neither the first token's nor the total, the engine's own in the response are taken.
    """

    queue: Places = "$.timings.queue"
    first_token: Places = ("$.timings.first_token", "$.ttft_ms")
    total: Places = ("$.timings.total", "$.latency_ms", "$.duration_ms")


class LoadRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where the server's load stands."""

    running: Places = "$.load.running"
    waiting: Places = "$.load.waiting"


class MappingRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where each native field stands in a line that is no native record. A key that is given replaces its default.

    `tags` are single tags by name; `tags_from` are objects whose texts all become tags.
    """

    request: Places = ("$.request.body", "$.request")
    response: Places = ("$.response.body", "$.response")
    headers: Places = ("$.headers", "$.request_headers", "$.request.headers")
    id: Places = ("$.id", "response.id")
    time: Places = ("$.time", "$.timestamp", "response.created")
    received_at: Places = "$.received_at"
    deployment: Places = "$.deployment"
    variant: Places = ("$.variant", "response.model", "request.model")
    conversation: Places = (
        "$.conversation",
        "$.conversation_id",
        "$.session_id",
        "request.session_id",
        "request.metadata.conversation_id",
        "request.metadata.session_id",
        "headers.x-conversation-id",
        "headers.x-session-id",
    )
    turn: Places = "$.turn"
    user: Places = ("$.user", "request.user", "request.safety_identifier")
    tags: dict[str, Places] = {}
    tags_from: Places = ("$.tags", "request.metadata")
    timings: TimingsRule = TimingsRule()
    load: LoadRule = LoadRule()


class InputRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How lines that are no native records are read, and what the records of a topic are keyed by.

    What lies under different keys is never seen together.
    """

    mapping: MappingRule = MappingRule()
    keyed_by: Literal["conversation", "user", "request", "none"] = "conversation"


_QUIET: Final = re2.Options()
_QUIET.log_errors = False
_STEP: Final = r"""(?:\.([A-Za-z_][A-Za-z0-9_-]*)|\[(\d{1,4})\]|\["([^"\]]+)"\])"""
_PATH: Final = re.compile(rf"(\$|request|response|headers)({_STEP}+)")
_STEPS: Final = re.compile(_STEP)
PATH_FORM: Final = '`$.a.b` (the line), `request.a`, `response.a` or `headers.a`, with `[0]` and `["a.b"]` as steps too'


def as_places(places: Places) -> tuple[Place, ...]:
    """The places one by one, short forms written out."""
    each = places if isinstance(places, tuple) else (places,)
    return tuple(Place(path=one) if isinstance(one, str) else one for one in each)


def parse_path(path: str) -> tuple[str, tuple[Step, ...]]:
    """A path's root and its steps; ValueError with what is allowed otherwise."""
    found = _PATH.fullmatch(path)
    if found is None:
        raise ValueError(f"`{path}` is no path; allowed: {PATH_FORM}")
    steps = (name or quoted or int(index) for name, index, quoted in _STEPS.findall(found[2]))
    return found[1], tuple(steps)


def problems(rule: MappingRule) -> Iterator[tuple[list[str], str]]:
    """What a mapping of the right shape gets wrong: (keys below `mapping`, sentence)."""
    for keys, places in _each(rule):
        timed = keys[0] in ("time", "received_at", "timings")
        for index, place in enumerate(as_places(places)):
            at = [*keys, str(index)] if isinstance(places, tuple) else keys
            yield from ((at, sentence) for sentence in _wrong(place, keys, timed=timed))


def _each(rule: MappingRule) -> Iterator[tuple[list[str], Places]]:
    """Every key that holds places."""
    for key in rule.__struct_fields__:
        value = getattr(rule, key)
        if isinstance(value, TimingsRule | LoadRule):
            yield from (([key, part], getattr(value, part)) for part in value.__struct_fields__)
        elif isinstance(value, dict):
            yield from (([key, tag], places) for tag, places in value.items())
        else:
            yield [key], value


def _wrong(place: Place, keys: list[str], *, timed: bool) -> Iterator[str]:
    """What is wrong with one place."""
    key = keys[-1]
    given = [name for name in ("path", "constant", "file") if getattr(place, name) is not None]
    if len(given) != 1:
        yield f"`{key}`: a place has exactly one of path, constant and file"
        return
    if place.constant == "":
        yield f"`{key}`: `constant` is a text that is not empty"
    if place.unit is not None and not timed:
        yield f"`{key}`: `unit` is allowed at times and timings only"
    if place.path is not None:
        yield from _wrong_path(place.path, keys)
    if place.file is not None:
        yield from _wrong_pattern(place.file, key)


def _wrong_path(path: str, keys: list[str]) -> Iterator[str]:
    key = keys[-1]
    try:
        root, steps = parse_path(path)
    except ValueError as error:
        yield f"`{key}`: {error}"
        return
    if root != "$" and keys[0] in ("request", "response", "headers"):
        yield f"`{key}`: where the {key} stands is a path from the line, such as `$.{key}`"
    if root == "headers" and (len(steps) != 1 or not isinstance(steps[0], str)):
        yield f"`{key}`: `headers.` takes one header's name, such as `headers.x-conversation-id`"


def _wrong_pattern(pattern: str, key: str) -> Iterator[str]:
    try:
        groups = re2.compile(pattern, _QUIET).groups
    except re2.error:
        yield f"`{key}`: `file` is no regular expression (RE2)"
        return
    if groups != 1:
        yield f"`{key}`: `file` needs exactly one group, such as `^(.+)-[0-9]+\\.jsonl$`"
