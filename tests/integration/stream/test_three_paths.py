"""One log through a file on SQLite, HTTP on SQLite, and Kafka on PostgreSQL: equal facts, findings and verdicts.

With batches of one record, of 256 and of 5,000, and with four workers on Kafka as with one. `make test` tries some of
these together, `make test-golden` all (`GOLDEN=all`). What the log has in it, and why no path may answer differently:
`tests/support/golden_log.py`.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa
from faust.exceptions import ConsumerNotStarted
from sqlalchemy.engine import Engine

from monitor.model import Decision, Verdict
from services.api.app import create_app
from services.bootstrap import shadow_worker
from services.evaluate import Evaluator
from services.ingest import inbox, jsonl
from services.ingest.jsonl import JsonlFile
from services.runtime import Ingestion
from services.store import tables as t
from tests.integration.api.conftest import Client
from tests.support.golden_log import Line, bursts, golden_log, halves, partitions, plans
from tests.support.kafka import Kafka
from tests.support.stores import everything_of, kept_in, rows_of, store
from tests.support.streaming import until
from tests.support.workers import Running, positions, settings

pytestmark = [pytest.mark.kafka, pytest.mark.postgres, pytest.mark.timeout(180)]

LOG = golden_log()
PLANS = plans()
PARTITIONS = 4
ALL = os.environ.get("GOLDEN") == "all"
HTTP = (1, 256, 5_000) if ALL else (256,)
KAFKA = [(workers, size) for workers in (1, 4) for size in (1, 256, 5_000)] if ALL else [(1, 5_000), (4, 256)]


def now_of(lines: list[Line]) -> Callable[[], int]:
    """A store's clock that shows the end of these lines."""
    return lambda: lines[-1].arrival


def from_file(engine: Engine, folder: Path, size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A JSONL file that grows, and is read by a new process once the plan has changed."""
    mean = sum(len(line.body) + 1 for line in LOG) // len(LOG)
    for name in ("RUN_BYTES", "BLOCK"):
        monkeypatch.setattr(jsonl, name, 1 if size == 1 else size * mean)
    path = folder / f"log-{size}.jsonl"
    for plan, half in zip(PLANS, halves(LOG), strict=True):
        with path.open("ab") as file:
            file.write(b"".join(line.body + b"\n" for line in half))
        source = JsonlFile(path, now_of(half))
        Ingestion(engine, plan, now_of(half)).read(source)
        source.close()


def over_http(engine: Engine, folder: Path, size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Posts as they arrive, and an intake."""
    monkeypatch.setattr(inbox, "RUN_RECORDS", size)
    for plan, half in zip(PLANS, halves(LOG), strict=True):
        for burst in bursts(half):
            api = Client(create_app(engine, plan, clock=lambda burst=burst: burst[0].arrival / 1000))
            api.post("/v1/events", status=202, content=b"\n".join(line.body for line in burst))
        Ingestion(engine, plan, now_of(half)).read(inbox.Inbox(engine, now_of(half)))


def over_kafka(engine: Engine, folder: Path, kafka: Kafka, workers: int, size: int) -> None:
    """A topic whose workers are there before its records, and are others once the plan has changed."""
    topic, written = kafka.topic(PARTITIONS), [0] * PARTITIONS
    group = settings(kafka, topic, batch_records=size, session_timeout=6.0)
    for plan, half in zip(PLANS, halves(LOG), strict=True):
        parts = partitions(half, PARTITIONS)
        written = [before + len(part) for before, part in zip(written, parts, strict=True)]
        with ExitStack() as left:
            running = [Running(engine, plan, group, now_of(half)) for _ in range(workers)]
            for worker in running:
                left.callback(worker.close)
            until(lambda running=running: held(running) == [PARTITIONS // workers] * workers, seconds=60)
            kafka.fill(topic, parts)
            end = dict(enumerate(written))
            until(lambda end=end: positions(engine, topic) == end, seconds=60)
            assert all(worker.stream.worker.summary.accepted for worker in running), "each had its share"


def held(running: list[Running]) -> list[int]:
    """How many partitions each worker has that are ready to be read."""
    found = []
    for worker in running:
        reader: Any = worker.stream.worker.reader
        try:
            found.append(0 if reader is None or reader.unplaced else len(reader.assignment()))
        except ConsumerNotStarted:
            found.append(0)
    return found


def came_of(engine: Engine, folder: Path) -> dict[str, Any]:
    """All that a user may read: facts, what was set aside, pairs, replays, findings, verdicts, alerts."""
    replay(engine, folder)
    for plan in reversed(PLANS):
        Evaluator(engine, plan, now_of(LOG), ("webhook:golden",)).look(everything=True)
    found = dict(everything_of(engine)) | {
        "look": rows(engine, t.look, "id", "at"),
        "alert": rows(engine, t.alert, "id"),
        "arm": rows(engine, t.arm, "seconds", "at"),
        "outbox": [(row.transition, row.state) for row in rows_of(engine, t.outbox)],
        "quarantine": sorted((row.reason, row.detail, row.body) for row in rows_of(engine, t.quarantine)),
    }
    taken = [(row.accepted, row.duplicates, row.quarantined) for row in rows_of(engine, t.position)]
    return found | {"position": [sum(column) for column in zip(*taken, strict=True)]}


def rows(engine: Engine, table: sa.Table, *dropped: str) -> list[tuple[Any, ...]]:
    wanted = [column for column in table.c if column.name not in dropped]
    with engine.connect() as connection:
        return sorted((tuple(row) for row in connection.execute(sa.select(*wanted))), key=repr)


def replay(engine: Engine, folder: Path) -> None:
    """Answers what was sampled by the recorded builds."""
    queued = [msgspec.json.decode(row.event)["id"] for row in rows_of(engine, t.queue)]
    for name, said in (("fp16", '{"sku":"a1"}'), ("int4", '{"sku":7}')):
        answers = [{"id": each, "output": {"text": said, "finish_reason": "stop"}} for each in sorted(queued)]
        (folder / f"{name}.jsonl").write_bytes(b"\n".join(map(msgspec.json.encode, answers)))
    worker = shadow_worker(engine, PLANS[1], now_of(LOG), folder, name="golden")
    while worker.run_once():
        pass


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What comes of the file, in batches of about 256."""
    folder = tmp_path_factory.mktemp("golden")
    engine = store(folder)
    with pytest.MonkeyPatch.context() as monkeypatch:
        from_file(engine, folder, 256, monkeypatch)
    return came_of(engine, folder)


def same(found: dict[str, Any], expected: dict[str, Any]) -> None:
    assert found.keys() == expected.keys()
    differing = {part for part, rows in expected.items() if found[part] != rows}
    assert differing == set()


def test_the_golden_log_has_everything_in_it(expected: dict[str, Any]) -> None:
    reasons = {reason for reason, *_ in expected["quarantine"]}
    assert reasons >= {
        *("early", "late", "not_json", "unknown_kind", "unknown_variant", "unknown_deployment"),
        *("unmatched_feedback", "unmatched_score", "wrong_type"),
    }
    signals = {(key[3], key[5]) for key in expected["facts"]}
    assert {("correction", "unit"), ("feedback", "unit"), ("schema", "pair")} <= signals
    verdicts = [msgspec.json.decode(row[5], type=Verdict) for row in expected["look"]]
    assert {verdict.plan for verdict in verdicts} == {plan.digest for plan in PLANS}
    assert Decision.FAIL in {verdict.decision for verdict in verdicts}
    assert any(verdict.findings for verdict in verdicts)
    assert len(expected["alert"]) >= 1
    assert len(expected["arm"]) > 100


@pytest.mark.parametrize("size", [1, 5_000])
def test_a_file_gives_the_same_in_batches_of_any_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, expected: dict[str, Any], size: int
) -> None:
    engine = store(tmp_path)
    from_file(engine, tmp_path, size, monkeypatch)
    same(came_of(engine, tmp_path), expected)


@pytest.mark.parametrize("size", HTTP)
def test_http_gives_what_a_file_gives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, expected: dict[str, Any], size: int
) -> None:
    engine = store(tmp_path)
    over_http(engine, tmp_path, size, monkeypatch)
    same(came_of(engine, tmp_path), expected)


@pytest.mark.parametrize(("workers", "size"), KAFKA)
def test_kafka_and_postgresql_give_what_a_file_gives(
    kafka: Kafka, tmp_path: Path, expected: dict[str, Any], workers: int, size: int
) -> None:
    with kept_in("postgresql"):
        engine = store(tmp_path)
        over_kafka(engine, tmp_path, kafka, workers, size)
        same(came_of(engine, tmp_path), expected)
