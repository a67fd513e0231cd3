"""What can be replayed is what the shadow worker would replay."""

from __future__ import annotations

import itertools

import msgspec
import pytest

from monitor.model import Event
from monitor.plan import Plan
from monitor.replay import why_not
from monitor.survey.replays import replays, stands_in_the_way
from shadow.errors import NotReplayable
from shadow.replay import request_of
from tests.support.events import START, TOOLS, Json, line, plan, random_log, request

PROMPT = [{"role": "user", "content": "hello"}]
MESSAGES = (
    None,
    [],
    PROMPT,
    [{"role": "user"}],
    [*PROMPT, {"role": "assistant", "tool_calls": [{"name": "find"}]}],
    [*PROMPT, {"role": "assistant"}],
)
SAMPLING = (None, {}, {"temperature": 0}, {"temperature": 0.7}, {"top_p": 0.5, "seed": 3, "max_tokens": 9})
TOOLING = (None, [], TOOLS, {"no": "list"}, "text")
FORMATS = (None, {"type": "json_object"}, {"type": "json_schema", "json_schema": {"schema": {"type": "object"}}})


def event(**given: Json | list[Json] | str | None) -> Event:
    return msgspec.json.decode(line(request("r", START, **given)), type=Event)


def worker_says(each: Event) -> str | None:
    try:
        request_of(each)
    except NotReplayable as refusal:
        return refusal.reason
    return None


def test_every_shape_of_a_request_gets_the_workers_answer() -> None:
    shapes = itertools.product(MESSAGES, SAMPLING, TOOLING, FORMATS)
    events = [event(messages=m, sampling=s, tools=t, response_format=f) for m, s, t, f in shapes]
    answers = [why_not(each) for each in events]

    assert answers == [worker_says(each) for each in events]
    assert len(set(answers)) >= 5, "every reason is met"


def test_a_whole_log_gets_the_workers_answers() -> None:
    events = []
    for raw in random_log(5, 400):
        try:
            events.append(msgspec.json.decode(raw, type=Event))
        except msgspec.MsgspecError:
            continue
    found = replays(events)

    assert found.replayable == sum(worker_says(each) is None for each in events)
    assert found.requests == found.replayable + sum(found.reasons.values())
    assert found.imported == sum(each.reference is not None for each in events) > 0


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (Plan(), "no reference in the plan"),
        (plan(bot=False, reference=None), "no reference in the plan"),
        (plan(bot=False, variants={"shop-fp16": {}}), "has no arm in the plan"),
        (plan(bot=False, text="none"), "keeps no texts"),
    ],
)
def test_what_the_plan_lacks_for_comparing_is_said(given: Plan, said: str) -> None:
    (sentence,) = stands_in_the_way(given, [event()])

    assert said in sentence


def test_nothing_is_said_where_all_is_there() -> None:
    assert stands_in_the_way(plan(bot=False), [event()]) == []
    assert stands_in_the_way(Plan(), [event(reference={"text": "hello"})]) == [], "the log brings the reference along"
