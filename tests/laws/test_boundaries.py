"""Law 1: batch boundaries do not change the facts, nor what is kept aside, nor what is replayed."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.plan import Plan
from monitor.run import Batch, Run
from monitor.state import State
from monitor.step import step
from tests.laws.folding import folded
from tests.support.events import CLOCK, START, feedback, lines, plan, random_log, request, score
from tests.support.stores import ListSource, everything_of, seal_all, store, take

PLAN = plan()


@pytest.mark.usefixtures("either_database")
@pytest.mark.parametrize("seed", [1, 2])
def test_run_sizes_change_nothing_in_the_store(tmp_path: Path, seed: int) -> None:
    log = random_log(seed, 240)
    found, counts = {}, {}
    for size in (None, 64, 7, 1):
        engine = store(tmp_path, f"runs-of-{size}")
        summary = take(engine, PLAN, ListSource(log, size=size))
        seal_all(engine, PLAN)
        counts[size] = (summary.accepted, summary.duplicates, summary.quarantined)
        found[size] = everything_of(engine)
    assert len(found[None]["facts"]) > 1000, "the log must be worth comparing"
    assert len(found[None]["quarantine"]) > 10
    for size in (64, 7, 1):
        assert counts[size] == counts[None]
        for part, rows in found[None].items():
            assert found[size][part] == rows, f"{part} differ in runs of {size}"


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10_000), cuts=st.lists(st.integers(0, 60), max_size=8))
def test_any_split_of_any_log_gives_the_same_batches_in_sum(seed: int, cuts: list[int]) -> None:
    log = random_log(seed, 60)
    assert in_sum(log, cuts) == in_sum(log, [])


def test_what_comes_before_its_request_is_unmatched_wherever_a_run_ends() -> None:
    log = lines(
        feedback("early thumb", "r", START), score("early score", "r", START), request("r", START + 1, score=None)
    )
    watched = plan(joins={"share": 1.0, "horizon": "2m"})
    whole, split = in_sum(log, [], watched), in_sum(log, [1, 2], watched)
    assert whole == split
    assert sorted(reason for _, reason, _ in whole["quarantine"]) == ["unmatched_feedback", "unmatched_score"]


def test_facts_from_a_clock_that_differs_between_runs_are_the_same() -> None:
    log = random_log(3, 120)
    assert in_sum(log, [30, 60], clocks=(CLOCK, CLOCK + 5, CLOCK + 90_000)) == in_sum(log, [])


def in_sum(
    log: list[bytes], cuts: list[int], watched: Plan = PLAN, clocks: tuple[int, ...] = (CLOCK,)
) -> dict[str, Any]:
    """What the steps over a cut log add up to, without a store."""
    state = State(watched)
    edges = [0, *sorted(min(cut, len(log)) for cut in cuts), len(log)]
    batches = []
    for n, (start, end) in enumerate(pairwise(edges)):
        batches.append(step(state, run_of(log, start, end, clocks[n % len(clocks)])))
    return {
        "facts": folded(batches),
        "duplicates": sum(batch.duplicates for batch in batches),
        "accepted": sum(batch.accepted for batch in batches),
        "quarantine": sorted((q.position, q.reason, q.body) for batch in batches for q in batch.quarantine),
        "sampled": [(s.pair, s.wanted) for batch in batches for s in batch.sampled],
        "watermark": batches[-1].watermark,
        "joins": open_at_the_end(batches),
    }


def run_of(log: list[bytes], start: int, end: int, clock: int = CLOCK) -> Run:
    return Run("log", "log", start, end, range(start, end), log[start:end], clock, drained=False)


def open_at_the_end(batches: list[Batch]) -> set[int]:
    found: set[int] = set()
    for batch in batches:
        found -= {request for _, request in batch.joined}
        found |= {join.request for join in batch.joins}
    return found
