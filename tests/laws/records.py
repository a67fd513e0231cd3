"""Strategies for wire records, over everything that their types allow."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import msgspec
from hypothesis import strategies as st

from monitor import model as m

texts = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), max_size=20)
names = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), min_size=1, max_size=20)
counts = st.integers(0, 2_147_483_647)
milliseconds = st.floats(0, 86_400_000)
shares = st.floats(0, 1)
zones = st.integers(-720, 720).map(lambda minutes: timezone(timedelta(minutes=minutes)))
datetimes = st.datetimes(min_value=datetime(1971, 1, 1), max_value=datetime(2099, 1, 1), timezones=zones)  # noqa: DTZ001
stamps = st.one_of(st.floats(0, 4_102_444_800), datetimes, st.just(datetime(2024, 2, 29, tzinfo=UTC)))
values = st.recursive(st.one_of(st.none(), st.booleans(), st.integers(-9, 9), texts), lambda v: st.lists(v, max_size=2))
raws = st.one_of(values, st.dictionaries(texts, values, max_size=2)).map(lambda v: msgspec.Raw(msgspec.json.encode(v)))


def maybe(strategy: st.SearchStrategy) -> st.SearchStrategy:  # type: ignore[type-arg]
    return st.one_of(st.none(), strategy)


def some(strategy: st.SearchStrategy) -> st.SearchStrategy:  # type: ignore[type-arg]
    return st.lists(strategy, max_size=3).map(tuple)


calls = st.builds(m.ToolCall, name=texts, arguments=texts)
messages = st.builds(
    m.Message,
    role=st.sampled_from(["system", "user", "assistant", "tool", "developer"]),
    content=maybe(texts),
    name=maybe(texts),
    tool_calls=some(calls),
)
outputs = st.builds(
    m.Output,
    text=maybe(texts),
    tool_calls=some(calls),
    finish_reason=maybe(texts),
    token_ids=some(st.integers(0, 200_000)),
    logprobs=some(st.floats(-100, 0)),
)
formats = st.builds(
    m.ResponseFormat,
    type=texts,
    json_schema=maybe(st.builds(m.JsonSchemaFormat, schema=raws, name=maybe(texts), strict=maybe(st.booleans()))),
)
decoding = st.builds(
    m.Sampling,
    temperature=maybe(st.floats(0, 2)),
    top_p=maybe(shares),
    seed=maybe(st.integers(0, 2**31)),
    max_tokens=maybe(st.integers(0, 4096)),
    tool_choice=maybe(texts),
    stop=maybe(st.one_of(texts, some(texts))),
    presence_penalty=maybe(st.floats(-2, 2)),
    frequency_penalty=maybe(st.floats(-2, 2)),
    repetition_penalty=maybe(st.floats(0, 2)),
)
timings = st.builds(m.Timings, queue=maybe(milliseconds), first_token=maybe(milliseconds), total=maybe(milliseconds))
expected = st.builds(m.Expected, kind=st.sampled_from(["json", "tool_call", "text", "refusal", "comply"]), value=raws)
events = st.builds(
    m.Event,
    id=names,
    deployment=names,
    variant=names,
    time=stamps,
    received_at=maybe(stamps),
    conversation=maybe(names),
    turn=maybe(st.integers(1, 100_000)),
    user=maybe(names),
    action=maybe(st.sampled_from(["regenerate", "edit"])),
    messages=maybe(some(messages)),
    tools=raws,
    response_format=maybe(formats),
    sampling=maybe(decoding),
    output=maybe(outputs),
    prompt_tokens=maybe(counts),
    completion_tokens=maybe(counts),
    timings=maybe(timings),
    load=maybe(st.builds(m.Load, running=maybe(counts), waiting=maybe(counts))),
    tags=maybe(st.dictionaries(texts, texts, max_size=3)),
    expected=maybe(expected),
    score=maybe(shares),
    reference=maybe(outputs),
    reference_score=maybe(shares),
)
scores = st.builds(m.ScoreReport, id=names, deployment=names, request=names, time=stamps, value=shares)
thumbs = st.builds(
    m.Feedback, id=names, deployment=names, request=names, time=stamps, rating=st.sampled_from(["up", "down"])
)
