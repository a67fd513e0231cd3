"""Topics made and checked, records relayed out of the quarantine, and brought in again; by the commands themselves."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from services.cli import quantwatch
from services.store import tables as t
from services.store.inbox import read
from services.stream.relay import Relay
from tests.support.events import START, line, plan, request
from tests.support.kafka import Kafka
from tests.support.stores import ListSource, clock, counted, quarantined, rows_of, seal_all, store, take, url_of
from tests.support.streaming import until
from tests.support.workers import positions, running, settings

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(120)]
PLAN = plan()
MS = int(START * 1000)


def run(*words: str, code: int = 0) -> Any:
    done = CliRunner().invoke(quantwatch, [*words, "--json"], standalone_mode=True)
    assert done.exit_code == code, (done.output, done.exception)
    return json.loads(done.stdout)


def test_topics_are_made_once_and_then_are_as_they_should_be(kafka: Kafka) -> None:
    names = {
        "--requests": kafka.name("requests"),
        "--feedback": kafka.name("feedback"),
        "--quarantined": kafka.name("q"),
    }
    words = [word for pair in names.items() for word in pair] + ["--kafka", kafka.bootstrap, "--partitions", "3"]

    missing = run("topics", "check", *words, code=1)
    assert {each["problem"] for each in missing["problems"]} == {"is not there"}
    assert run("topics", "create", *words) == {"created": list(names.values())}
    assert run("topics", "create", *words) == {"created": []}
    assert run("topics", "check", *words) == {"problems": []}
    assert [len(kafka.describe(name)["partitions"]) for name in names.values()] == [3, 3, 1]


def test_a_topic_that_is_otherwise_is_told_with_what_it_should_be(kafka: Kafka) -> None:
    topic = kafka.topic(2, cleanup_policy="compact", retention_ms="3600000", compression_type="gzip")

    told = run("topics", "check", "--kafka", kafka.bootstrap, "--requests", topic, "--partitions", "3", code=1)

    assert [each["problem"] for each in told["problems"]] == [
        "has 2 partitions, not 3",
        "is compacted: of several records with one key only the last one stays",
        "keeps records for 0.0416667 days, not 7 days",
        "is compressed with gzip, not zstd",
    ]


@pytest.mark.parametrize("compression", ["gzip", "lz4", "snappy", "zstd"])
def test_compressed_topics_are_read(kafka: Kafka, tmp_path: Path, compression: str) -> None:
    topic, engine = kafka.topic(compression_type=compression), store(tmp_path)
    kafka.write(topic, [line(request(f"r{number}", START + number)) for number in range(5)], timestamp_ms=MS)

    with running(engine, PLAN, settings(kafka, topic)):
        until(lambda: positions(engine, topic) == {0: 5})

    seal_all(engine, PLAN)
    assert counted(engine, "traffic")["requests"] == 5


def test_what_was_set_aside_is_relayed_once_as_it_came(kafka: Kafka, tmp_path: Path) -> None:
    topic, aside, engine = kafka.topic(), kafka.topic(name="aside"), store(tmp_path)
    kafka.write(topic, [(b"k1", b"no json"), b"[]", line(request("r", START))], timestamp_ms=MS)
    with running(engine, PLAN, settings(kafka, topic)):
        until(lambda: positions(engine, topic) == {0: 3})
    take(engine, PLAN, ListSource([b"not by Kafka"]))
    relay = Relay(engine, clock, kafka.bootstrap, aside)

    assert [relay.relay(), relay.relay()] == [2, 0]
    relay.close()

    records = kafka.read(aside)
    assert [(record.key, record.value) for record in records] == [(b"k1", b"no json"), (None, b"[]")]
    headers = dict(records[0].headers)
    assert headers["quantwatch-reason"] == b"not_json"
    assert headers["quantwatch-offset"] == b"0"
    assert headers["quantwatch-source"].decode().endswith(f"/{topic}/0")


def test_what_a_wrong_plan_refused_is_brought_in_again(kafka: Kafka, tmp_path: Path) -> None:
    topic, engine = kafka.topic(), store(tmp_path)
    kafka.write(topic, [(b"k", line(request("r", START, variant="new")))], timestamp_ms=MS)
    with running(engine, PLAN, settings(kafka, topic)):
        until(lambda: positions(engine, topic) == {0: 1})
    assert [row[2] for row in quarantined(engine)] == ["unknown_variant"]
    db = ("--db", url_of(engine))
    [row] = run("quarantine", "list", *db)
    shown = run("quarantine", "show", str(row["id"]), *db)
    assert (json.loads(shown["body"])["variant"], shown["key"]) == ("new", "k")

    told = run("quarantine", "redrive", "--reason", "unknown_variant", "--kafka", kafka.bootstrap, *db)

    assert told == {"redriven": 1, "to": {topic: 1}}
    assert rows_of(engine, t.quarantine) == []
    assert [(record.key, record.offset) for record in kafka.read(topic)] == [(b"k", 0), (b"k", 1)]


def test_what_did_not_come_by_kafka_goes_to_the_inbox(tmp_path: Path) -> None:
    engine = store(tmp_path)
    take(engine, PLAN, ListSource([b"no json"]))

    told = run("quarantine", "redrive", "--reason", "not_json", "--db", url_of(engine))

    assert told == {"redriven": 1, "to": {"the inbox": 1}}
    with engine.connect() as connection:
        assert [body for _, _, body in read(connection, 0, 10)] == [b"no json"]
