"""Whatever happens to workers, evaluators and dispatchers: the same facts, every alert once, no pass on stale facts."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import pytest

from tests.sim.faults import FAULTS
from tests.sim.many import PROCESSES, hunted, seeds
from tests.sim.seed import simulation
from tests.sim.traffic import written

pytestmark = pytest.mark.beside

SEEDS = 200
PLANTED = {
    "the position is committed before the facts": 20,
    "the fence is lost": 40,
    "the outbox is written outside the transaction": 60,
    "a paused leader writes": 60,
}


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_two_hundred_seeds_hold() -> None:
    with ProcessPoolExecutor(PROCESSES, get_context("spawn")) as pool:
        failed = [said for part in pool.map(seeds, [SEEDS] * PROCESSES, range(PROCESSES)) for said in part]
    assert failed == []


@pytest.mark.slow
@pytest.mark.parametrize("name", FAULTS)
def test_a_planted_fault_is_found(name: str) -> None:
    with simulation() as runs:
        assert next(hunted(runs, name, PLANTED[name]), None) is not None


def test_a_seed_is_the_same_run_in_every_process() -> None:
    with simulation() as runs:
        here, again, other = (runs.run(seed).name for seed in (5, 5, 6))
    assert here == again != other
    environment = os.environ | {"PYTHONHASHSEED": "123"}
    words = [sys.executable, "-m", "tests.sim", "--seed", "5"]
    there = subprocess.run(words, capture_output=True, text=True, check=True, env=environment)
    assert there.stdout.splitlines()[-1] == f"seed 5 holds ({here})"


def test_a_log_has_at_most_two_hundred_records_and_every_kind_of_disorder() -> None:
    logs = [written(seed) for seed in range(16)]
    assert {len({record.topic for record in log}) for log in logs} == {1, 2}, "with and without feedback"
    for log in logs:
        values = [record.value for record in log]
        assert 70 <= len(log) <= 200
        assert len(set(values)) < len(values), "copies"
        assert {record.partition for record in log} == {0, 1}
