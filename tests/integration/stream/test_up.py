"""`quantwatch up --kafka` and the stream command, as the processes that people start."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from tests.support.events import line, request
from tests.support.kafka import Kafka
from tests.support.streaming import until

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(120)]
PLAN = "deployments: {shop: {bucket: 1s, lateness: 5s, variants: {shop-int4: {}}}}"


def start(*words: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "services", *words]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_up_takes_a_topic_from_message_to_fact(kafka: Kafka, tmp_path: Path) -> None:
    (tmp_path / "plan.yaml").write_text(PLAN)
    topic, port = kafka.topic(2), free_port()
    store = f"sqlite:///{tmp_path}/up.db"
    words = ["--plan", f"{tmp_path}/plan.yaml", "--db", store, "--port", str(port), "--dashboard-port", "0"]
    process = start("up", *words, "--kafka", kafka.bootstrap, "--requests", topic)
    try:
        now = time.time()
        for number in range(2):
            said = [line(request(f"r{number}-{k}", now + k / 100)) for k in range(20)]
            kafka.write(topic, said, number)
        client = httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False)
        with client:
            until(lambda: taken(client) == 40, seconds=60)
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=30)


def taken(client: httpx.Client) -> float:
    """Records taken of all partitions, as the metrics say; 0 while nobody answers."""
    try:
        said = client.get("/metrics").text
    except httpx.TransportError:
        return 0
    rows = [row for row in said.splitlines() if row.startswith('quantwatch_source_events_total{source="kafka:')]
    return sum(float(row.rsplit(" ", 1)[1]) for row in rows)


def test_a_stream_worker_ends_when_it_is_asked_to_and_says_what_it_took(kafka: Kafka, tmp_path: Path) -> None:
    (tmp_path / "plan.yaml").write_text(PLAN)
    topic, port = kafka.topic(), free_port()
    kafka.write(topic, [line(request(f"r{number}", time.time())) for number in range(10)])
    words = ["--plan", f"{tmp_path}/plan.yaml", "--db", f"sqlite:///{tmp_path}/s.db", "--health", f"127.0.0.1:{port}"]
    process = start("stream", "--kafka", kafka.bootstrap, "--requests", topic, *words)
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client:
            until(lambda: taken(client) == 10, seconds=60)
            assert client.get("/v1/health/live").json() == {"live": True}
    finally:
        process.send_signal(signal.SIGTERM)
        out, said = process.communicate(timeout=30)

    assert process.returncode == 0
    assert said.splitlines()[-1] == "accepted 10, duplicates 0, quarantined 0"
    assert "Traceback" not in out + said


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--kafka", "127.0.0.1:1"], "quantwatch: Kafka at 127.0.0.1:1 does not answer"),
        (["--kafka", "KAFKA", "--requests", "nowhere"], "has no topic nowhere (`quantwatch topics create` makes it)"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(kafka: Kafka, tmp_path: Path, words: list[str], said: str) -> None:
    process = start(
        "stream",
        "--db",
        f"sqlite:///{tmp_path}/s.db",
        *[kafka.bootstrap if word == "KAFKA" else word for word in words],
    )
    _, told = process.communicate(timeout=60)

    assert process.returncode == 3
    assert said in told.splitlines()[-1]
    assert "Traceback" not in told


def test_the_environment_may_name_kafka(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "services", "topics", "check"]
    done = subprocess.run(
        command, env=os.environ | {"QUANTWATCH_KAFKA": "127.0.0.1:1"}, capture_output=True, text=True, timeout=60
    )

    assert done.returncode == 3
    assert "127.0.0.1:1 does not answer" in done.stderr
