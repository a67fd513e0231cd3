"""A request written as a pair of OpenAI bodies is the request: the same event, the same facts."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor import model as m
from monitor.dialects.mapping import MappingRule
from monitor.dialects.reader import Reader
from monitor.plan import Plan
from monitor.wire import decode, encode, milliseconds
from services.store import tables as t
from tests.laws import records as r
from tests.support.events import Json, line, plan, random_log
from tests.support.openai_pairs import META, UNPAIRED, as_pair
from tests.support.stores import ListSource, everything_of, rows_of, seal_all, store, take

WATCHED = plan(shadow={"share": 1.0})
PAIRED: Plan = msgspec.structs.replace(WATCHED, input=msgspec.convert({"mapping": META}, type(WATCHED.input)))

schemas = st.dictionaries(r.texts, r.values, max_size=2).map(lambda value: msgspec.Raw(msgspec.json.encode(value)))
demands = st.one_of(
    st.builds(m.ResponseFormat, type=r.texts),
    st.builds(
        m.ResponseFormat,
        type=st.just("json_schema"),
        json_schema=st.builds(m.JsonSchemaFormat, schema=schemas, name=r.maybe(r.texts), strict=r.maybe(st.booleans())),
    ),
)
tools = st.lists(st.dictionaries(r.texts, r.values, max_size=2), min_size=1, max_size=2)
tokens = st.lists(st.tuples(st.integers(0, 200_000), st.floats(-100, 0)), max_size=3)
events = st.builds(
    m.Event,
    id=r.names,
    deployment=r.names,
    variant=r.names,
    time=st.floats(100_000_000, 4_102_444_800) | r.datetimes.filter(lambda moment: moment.year > 1973),
    received_at=r.maybe(st.floats(100_000_000, 4_102_444_800)),
    conversation=r.maybe(r.names),
    turn=r.maybe(st.integers(1, 100_000)),
    user=r.maybe(r.names),
    messages=r.some(r.messages),
    tools=st.one_of(st.just(m.NO_TOOLS), tools.map(lambda value: msgspec.Raw(msgspec.json.encode(value)))),
    response_format=r.maybe(demands),
    sampling=r.maybe(
        st.builds(
            m.Sampling,
            temperature=r.maybe(st.floats(0, 2)),
            top_p=r.maybe(r.shares),
            seed=r.maybe(st.integers(0, 2**31)),
            max_tokens=r.maybe(st.integers(1, 4096)),
            tool_choice=r.maybe(r.names),
            stop=r.maybe(st.one_of(r.texts, st.lists(r.texts, min_size=1, max_size=2).map(tuple))),
            presence_penalty=r.maybe(st.floats(-2, 2)),
            frequency_penalty=r.maybe(st.floats(-2, 2)),
            repetition_penalty=r.maybe(st.floats(0, 2)),
        ).filter(lambda sampling: sampling != m.Sampling())
    ),
    output=st.builds(
        lambda text, calls, reason, drawn: m.Output(
            text, calls, reason, tuple(token for token, _ in drawn), tuple(logprob for _, logprob in drawn)
        ),
        r.maybe(r.texts),
        r.some(r.calls),
        r.maybe(r.texts),
        tokens,
    ),
    prompt_tokens=r.maybe(r.counts),
    completion_tokens=r.maybe(r.counts),
    timings=r.maybe(
        st.builds(m.Timings, queue=r.maybe(r.milliseconds), first_token=r.milliseconds, total=r.milliseconds)
    ),
    load=r.maybe(st.builds(m.Load, running=r.counts, waiting=r.maybe(r.counts))),
    tags=r.maybe(st.dictionaries(r.names, r.names, min_size=1, max_size=3)),
)


@settings(max_examples=150, deadline=None)
@given(events)
def test_a_pair_made_by_hand_from_a_request_is_that_request(event: m.Event) -> None:
    reader = Reader(msgspec.convert(META, MappingRule))
    pair = line(as_pair(json.loads(encode(event))))
    (read,) = reader.decode_all([pair], "inbox")

    assert isinstance(read, m.Event), read
    assert milliseconds(read.time) == milliseconds(event.time)
    assert msgspec.structs.replace(read, time=event.time) == event


@settings(max_examples=50, deadline=None)
@given(events)
def test_what_is_stored_of_a_pair_is_the_native_record(event: m.Event) -> None:
    reader = Reader(msgspec.convert(META, MappingRule))
    pair = line(as_pair(json.loads(encode(event))))
    refused = reader.decode_all([b"{}"], "inbox")[0]
    assert isinstance(refused, Exception)
    read, native = reader.translate(pair, refused, "inbox")

    assert decode(native) == read


@pytest.mark.usefixtures("either_database")
@pytest.mark.parametrize("seed", [1, 2])
def test_a_log_of_pairs_gives_the_facts_of_the_native_log(tmp_path: Path, seed: int) -> None:
    log = random_log(seed, 240)
    written = [line(as_pair(event)) if (event := pairable(raw)) is not None else raw for raw in log]
    assert sum(a != b for a, b in zip(log, written, strict=True)) > 100, "the log must be worth comparing"
    found = []
    for name, watched, lines in (("native", WATCHED, log), ("pairs", PAIRED, written)):
        engine = store(tmp_path, name)
        summary = take(engine, watched, ListSource(lines, size=50))
        seal_all(engine, watched)
        texts = {(row.pair_id, row.part): decode_text(row.part, row.body) for row in rows_of(engine, t.pair_text)}
        queued = {row.pair_id: decode(row.event) for row in rows_of(engine, t.queue)}
        assert queued
        whole = {key: rows for key, rows in everything_of(engine).items() if key not in ("queue", "pair_text")}
        found.append((summary.accepted, summary.duplicates, summary.quarantined, texts, queued, whole))

    assert found[0] == found[1]


def pairable(raw: bytes) -> Json | None:
    """A request of the log if a pair can say all of it."""
    try:
        record = decode(raw)
    except Exception:
        return None
    if not isinstance(record, m.Event) or record.messages is None or record.output is None:
        return None
    if any(getattr(record, name) is not None for name in UNPAIRED):
        return None
    said: Json = json.loads(raw)
    return said


def decode_text(part: str, body: bytes) -> object:
    return decode(body) if part == "event" else body
