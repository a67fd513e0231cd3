"""Metrics are read from the store: each documented, none with text of a request."""

from __future__ import annotations

import re
from pathlib import Path

import httpx
import pytest
from sqlalchemy.engine import Engine
from sqlalchemy.exc import OperationalError

from services.errors import UsageError
from services.healthserver import HealthServer
from services.metrics import MEANING
from services.store import tables
from services.store.engine import open_engine
from tests.integration.api.conftest import BUCKET, MARKER, MINUTE, NOW, Client, Store, make_verdict

MS = int(NOW * 1000)


def values(text: str) -> dict[str, float]:
    lines = [line.rpartition(" ") for line in text.splitlines() if not line.startswith("#")]
    return {name.removeprefix("quantwatch_"): float(value) for name, _, value in lines}


@pytest.fixture
def filled(store: Store) -> Store:
    """A store in which something lies everywhere."""
    source = {"source": 'a "log"\\', "incarnation": "i", "next": 70, "mark": "", "closed": False}
    store.write(
        tables.position,
        source | {"watermark": MS - 5_000, "accepted": 7, "duplicates": 2, "quarantined": 1},
        source | {"source": "closed", "watermark": 1, "closed": True, "accepted": 1, "duplicates": 0, "quarantined": 0},
    )
    store.write(tables.evaluation, {"deployment": "chat", "turn": 9, "at": MS - 3_000, "worker": "w"})
    store.look(make_verdict(coverage={"units": 400, "pairs": 90, "replayed_share": 0.225, "excluded_share": 0.1}))
    store.apply(make_verdict())
    store.pair("p1", {"logged": 0})
    row = {"pair_id": "p1", "deployment": "chat", "variant": "int4", "arms": "reference", "attempts": 0}
    store.write(tables.queue, row | {"leased_until": 0, "at": MS - 60_000, "event": MARKER.encode()})
    refused = {"source": "a", "position": 1, "reason": "not_json", "detail": "", "at": MS, "expires": MS}
    store.write(tables.quarantine, refused | {"body": MARKER.encode()})
    store.write(tables.inbox, {"received_at": MS, "body": MARKER.encode()})
    return store


def test_every_metric_has_a_value_a_type_and_a_meaning(filled: Store, client: Client) -> None:
    answer = client.ask("GET", "/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert MARKER not in answer.text
    said = set(re.findall(r"^quantwatch_(\w+)", answer.text, re.MULTILINE))
    assert said == set(MEANING)
    for name, (kind, meaning) in MEANING.items():
        assert f"# HELP quantwatch_{name} {meaning}\n# TYPE quantwatch_{name} {kind}\n" in answer.text


def test_the_numbers_are_those_of_the_store(filled: Store, client: Client) -> None:
    found = values(client.ask("GET", "/metrics").text)
    source = r'{source="a \"log\"\\"}'
    build = '{deployment="chat",variant="int4"}'
    expected = {
        f"source_lag_seconds{source}": 5,
        f"source_position{source}": 70,
        f"source_events_total{source}": 7,
        f"source_duplicates_total{source}": 2,
        f"source_quarantined_total{source}": 1,
        'quarantined{reason="not_json"}': 1,
        "queue_age_seconds": 60,
        "inbox_records": 1,
        'evaluation_age_seconds{deployment="chat"}': 3,
        'evaluations_total{deployment="chat"}': 9,
        f"units{build}": 400,
        f"replayed_share{build}": 0.225,
        'verdict{deployment="chat",variant="int4",decision="fail"}': 1,
        'verdict{deployment="chat",variant="int4",decision="pass"}': 0,
        'alerts_open{kind="fail"}': 1,
        "outbox_pending": 1,
        "outbox_dead": 0,
    }
    assert {name: found.get(name) for name in expected} == expected
    assert 'source_lag_seconds{source="closed"}' not in found, "a closed source lags behind nothing"


def test_a_store_with_nothing_in_it_says_so(client: Client) -> None:
    assert values(client.ask("GET", "/metrics").text)["queue_units"] == 0


def test_metrics_are_documented() -> None:
    documented = (Path(__file__).parents[3] / "docs" / "operations.md").read_text()
    assert [name for name in MEANING if f"`quantwatch_{name}`" not in documented] == []


def test_a_process_without_an_api_answers_for_its_health(filled: Store, engine: Engine) -> None:
    stuck: list[str] = []
    server = HealthServer("127.0.0.1:0", engine, lambda: MS, lambda: stuck[0] if stuck else None)
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{server.port}", trust_env=False) as http:
            assert http.get("/v1/health/live").json() == {"live": True}
            assert http.get("/v1/health/ready").json() == {"ready": True}
            assert values(http.get("/metrics").text)["queue_units"] == 0
            assert http.get("/else").status_code == 404
            stuck.append("evaluation has been at one round for 300 s")
            answer = http.get("/v1/health/live")
            assert (answer.status_code, answer.json()) == (503, {"live": False, "reason": stuck[0]})
    finally:
        server.close()


def test_health_without_a_database_is_not_ready_and_alive(tmp_path: Path) -> None:
    nowhere = open_engine("postgresql://nobody@127.0.0.1:1/nothing")
    server = HealthServer("127.0.0.1:0", nowhere, lambda: MS, lambda: None)
    try:
        assert server.answer("/v1/health/ready")[0] == server.answer("/metrics")[0] == 503
        assert server.answer("/v1/health/live")[0] == 200
        with pytest.raises(OperationalError):
            nowhere.connect()
    finally:
        server.close()


@pytest.mark.parametrize("address", ["here", "127.0.0.1:x", "127.0.0.1:1"])
def test_a_place_that_cannot_be_listened_on_is_refused_in_one_line(engine: Engine, address: str) -> None:
    if address.endswith(":1"):
        taken = HealthServer("127.0.0.1:0", engine, lambda: MS, lambda: None)
        address = f"127.0.0.1:{taken.port}"
    with pytest.raises(UsageError, match="--health"):
        HealthServer(address, engine, lambda: MS, lambda: None)
    if "taken" in locals():
        taken.close()


def test_units_are_counted_from_the_latest_look(filled: Store, client: Client) -> None:
    filled.look(make_verdict(as_of=(BUCKET + 1) * MINUTE / 1000, coverage={"units": 500}), at=NOW)
    assert values(client.ask("GET", "/metrics").text)['units{deployment="chat",variant="int4"}'] == 500
