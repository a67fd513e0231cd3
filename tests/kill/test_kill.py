"""Whatever dies: the same facts, and no alert told twice. `make test-kill` tries many more seeds than these."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kill.drill import run
from tests.kill.servers import Servers
from tests.support.kafka import Kafka

pytestmark = [
    pytest.mark.kafka,
    pytest.mark.postgres,
    pytest.mark.slow,
    pytest.mark.timeout(400),
    # The clients leave sockets to servers that have died to the collector.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning", "ignore::ResourceWarning"),
]


@pytest.fixture(scope="module")
def servers(kafka: Kafka) -> Iterator[Servers]:
    with Servers(kafka) as found:
        yield found


@pytest.mark.parametrize("seed", range(int(os.environ.get("KILL_RUNS", "8"))))
def test_killed_at_random_moments_everything_comes_to_what_an_undisturbed_reading_gives(
    servers: Servers, tmp_path: Path, seed: int
) -> None:
    report = run(servers, seed, tmp_path)
    assert report.killed.total() >= 3
    gc.collect()
