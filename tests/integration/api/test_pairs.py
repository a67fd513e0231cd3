"""Pairs of OpenAI bodies over HTTP: an item of an array, a line, one alone; taken like those of a file."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from monitor.model import Event
from monitor.plan import Plan
from monitor.wire import decode
from services.ingest.inbox import Inbox
from services.ingest.jsonl import JsonlFile
from services.planfile import parse_plan
from services.runtime import Ingestion, Summary
from services.store import tables as t
from tests.integration.api.conftest import MARKER, NOW, Client, Store
from tests.support.events import Json
from tests.support.openai_pairs import written_by

PAIRS = [*written_by("openai").values(), *written_by("vllm").values(), *written_by("llamacpp").values()]
CREATED = 1795512600
WATCHED = """
text: {text}
deployments:
  shop:
    reference: shop-bf16
    variants:
      shop-bf16: {{arm: {{backend: recorded, model: bf16.jsonl}}}}
      shop-8b-awq: {{}}
    shadow: {{share: 1.0}}
input:
  mapping:
    user: headers.x-user
"""


def plan(text: str = "7d") -> Plan:
    return parse_plan(WATCHED.format(text=text))


def taken(engine: Engine, watched: Plan) -> Summary:
    """Everything in the inbox, taken a minute after it was created."""
    source = Inbox(engine, lambda: (CREATED + 60) * 1000)
    return Ingestion(engine, watched, source.clock).read(source)


def rows(engine: Engine, table: sa.Table) -> list[Any]:
    with engine.connect() as connection:
        return list(connection.execute(sa.select(table)))


@pytest.fixture
def post(make_client: Callable[..., Client]) -> Callable[[bytes], Json]:
    client = make_client(clock=CREATED + 30.0)

    def send(body: bytes) -> Json:
        packed = gzip.compress(body)
        answer: Json = client.post("/v1/events", 202, content=packed, headers={"content-encoding": "gzip"})
        return answer

    return send


@pytest.mark.parametrize(
    "written",
    [
        lambda pairs: json.dumps(pairs),
        lambda pairs: "\n".join(map(json.dumps, pairs)),
    ],
    ids=["an array", "lines"],
)
def test_pairs_are_taken_one_by_one(engine: Engine, post: Callable[[bytes], Json], written: Callable[..., str]) -> None:
    broken = {"request": PAIRS[0]["request"], "response": {"error": {"message": MARKER}}}
    assert post(written([*PAIRS, broken]).encode())["received"] == len(PAIRS) + 1

    summary = taken(engine, Plan())

    assert summary.accepted == len(PAIRS)
    assert dict(summary.quarantined) == {"no_answer": 1}


def test_one_pair_alone_over_several_lines_is_taken(engine: Engine, post: Callable[[bytes], Json]) -> None:
    assert post(json.dumps(PAIRS[0], indent=2).encode())["received"] == 1

    assert taken(engine, Plan()).accepted == 1


def test_http_and_a_file_give_the_same(
    engine: Engine, tmp_path: Path, store: Store, post: Callable[[bytes], Json]
) -> None:
    log = tmp_path / "pairs.jsonl"
    log.write_text("\n".join(map(json.dumps, PAIRS)) + "\n")
    post(log.read_bytes())
    over_http = taken(engine, Plan())
    again = JsonlFile(log, lambda: (CREATED + 60) * 1000)
    ingestion = Ingestion(engine, Plan(), again.clock)
    from_file = ingestion.read(again)
    ingestion.finish(again)

    assert over_http.accepted == len(PAIRS)
    assert (from_file.accepted, from_file.duplicates) == (0, len(PAIRS)), "the same ids, so the same requests"


def test_what_is_replayed_is_native_and_what_is_kept_aside_is_as_it_came(
    engine: Engine, post: Callable[[bytes], Json]
) -> None:
    good = written_by("vllm")["metrics"] | {"headers": {"X-User": "ada"}}
    stranger = {**good, "variant": "nobody", "id": "other"}
    late = {**good, "id": "old", "time": CREATED - 3_600}
    post(json.dumps([good, stranger, late]).encode())

    summary = taken(engine, plan())

    assert dict(summary.quarantined) == {"unknown_variant": 1, "late": 1}
    (queued,) = rows(engine, t.queue)
    event = decode(queued.event)
    assert isinstance(event, Event)
    assert (event.id, event.user) == ("chatcmpl-89cf9de14d6fdfd2", "ada")
    kept = {row.reason: json.loads(row.body) for row in rows(engine, t.quarantine)}
    assert kept == {"unknown_variant": stranger, "late": late}


def test_without_kept_text_nothing_of_a_pair_is_kept(
    engine: Engine, tmp_path: Path, post: Callable[[bytes], Json]
) -> None:
    asked = {"model": "shop-8b-awq", "messages": [{"role": "user", "content": MARKER}], "metadata": {"route": MARKER}}
    good = {"request": asked, "response": written_by("vllm")["metrics"]["response"], "note": MARKER}
    refused = {"request": asked, "response": {"error": MARKER}}
    post(json.dumps([good, refused]).encode())

    summary = taken(engine, plan(text="none"))

    assert summary.accepted == 1
    for table in t.metadata.sorted_tables:
        assert [row for row in rows(engine, table) if MARKER in str(tuple(row))] == [], table.name


def test_the_clock_of_the_store_is_far_from_these_events() -> None:
    assert abs(CREATED - NOW) > 86_400, "so that a test which forgot its own clock would find them early"
