"""Candidate slices have the share that the slices themselves will have."""

from __future__ import annotations

import msgspec
import pytest

from monitor.model import Event
from monitor.plan import SliceRule
from monitor.slices import Slicer
from monitor.survey.candidates import FEW_VALUES, LEAST, MOST, candidates, many_valued
from tests.support.events import SCHEMA, START, TOOLS, Json, line, random_log, request


def event(number: int, **given: object) -> Event:
    return msgspec.json.decode(line(request(f"r{number}", START, **given)), type=Event)


def names(events: list[Event]) -> list[str]:
    return [candidate.rule.name for candidate in candidates(events)]


def test_shares_are_those_of_the_slices() -> None:
    events = []
    for raw in random_log(3, 500):
        try:
            events.append(msgspec.json.decode(raw, type=Event))
        except msgspec.MsgspecError:
            continue
    found = candidates(events)
    slicer = Slicer([candidate.rule for candidate in found])
    inside = [set(slicer.members(pattern).tolist()) for pattern in slicer.patterns(events)]
    shares = [sum(index in members for members in inside) / len(events) for index in range(1, len(slicer.names))]

    assert slicer.names[1:] == tuple(candidate.rule.name for candidate in found)
    assert [candidate.share for candidate in found] == pytest.approx(shares)
    assert all(LEAST <= share <= MOST for share in shares)
    assert {"json schema", "tools", "free text", "short", "medium", "route=chat"} <= set(slicer.names)


def test_every_kind_of_condition_is_tried() -> None:
    form = {"type": "json_schema", "json_schema": {"name": "o", "schema": SCHEMA}}
    kinds: list[Json] = [
        {"response_format": form, "prompt_tokens": 10},
        {"response_format": {"type": "json_object"}, "prompt_tokens": 600},
        {"tools": TOOLS, "prompt_tokens": 5_000, "tags": {"tier": "pro"}},
        {"prompt_tokens": 20_000, "messages": [{"role": "user", "content": "сколько стоит билет"}]},
    ]
    found = names([event(n, **kinds[n % 4]) for n in range(40)])

    assert found == [
        *("json schema", "json", "tools", "free text"),
        *("short", "medium", "long", "very long"),
        "tier=pro",
        *("language=latin", "language=cyrillic"),
    ]


def test_slices_of_the_same_requests_are_found() -> None:
    events = [event(n, tools=TOOLS if n % 2 else None, tags={"route": "agent" if n % 2 else "chat"}) for n in range(20)]
    same = {candidate.rule.name: candidate.same_as for candidate in candidates(events)}

    assert same == {"tools": None, "free text": None, "route=agent": "tools", "route=chat": "free text"}


def test_tags_with_many_values_and_names_of_one_request_are_no_slices() -> None:
    tags = [{"tenant": f"t{n}", "session_id": f"c{n % 5}", "build": f"b{n % 2}", "tier": f"{n % 2}"} for n in range(40)]
    events = [event(n, tags=each, conversation=each["session_id"]) for n, each in enumerate(tags)]

    assert names(events) == ["tier=0", "tier=1"]
    assert [(many.tag, many.values) for many in many_valued(events)] == [("tenant", 40)]
    assert FEW_VALUES < 40


def test_a_name_is_given_once() -> None:
    events = [event(n, tags={"a": "b=c" if n % 2 else "x", "a=b": "c" if n % 3 else "x"}) for n in range(60)]
    found = names(events)

    assert len(set(found)) == len(found)
    assert {"a=b=c", "a=b=c 2"} <= set(found)
    assert len(Slicer([SliceRule(name=name) for name in found]).names) == len(found) + 1
