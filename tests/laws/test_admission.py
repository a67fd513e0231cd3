"""Requests that are taken column by column are taken as they would be one by one."""

from __future__ import annotations

import random
from typing import Any

import pytest

from monitor.admit import Admission
from monitor.run import Run
from monitor.state import State
from monitor.step import step
from tests.laws.folding import folded
from tests.support.events import CLOCK, START, lines, plan, request

PLAN = plan(bot=False)
RUNS, SIZE = 60, 40


@pytest.mark.parametrize("stamped", [False, True], ids=["by event time", "by arrival"])
@pytest.mark.parametrize("seed", range(4))
def test_column_by_column_gives_what_one_by_one_gives(
    seed: int, stamped: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = list(served(random.Random(seed), stamped=stamped))
    taken, alike = [], Admission._take_alike

    def counted(self: Admission, *given: Any) -> bool:
        taken.append(alike(self, *given))
        return taken[-1]

    monkeypatch.setattr(Admission, "_take_alike", counted)
    together = in_sum(runs)
    monkeypatch.setattr(Admission, "_take_alike", lambda *_: False)
    assert together == in_sum(runs)
    assert together["duplicates"] > 40
    assert together["quarantine"]
    assert 10 < sum(taken) < len(taken), "some runs must be taken each way"


def served(draw: random.Random, *, stamped: bool) -> Any:
    """Runs of requests, most of them on time and a few not, with copies of earlier ones."""
    now, log = START, []
    for at in range(RUNS):
        worst = draw.choice((2.0, 2.0, 40.0))
        records, arrivals = [], []
        for n in range(SIZE):
            now += draw.expovariate(4.0)
            time = now - draw.uniform(0.0, worst)
            log.append(request(f"r{at}-{n}", time, conversation=draw.choice((None, f"c{at % 5}"))))
            records.append(draw.choice(log[-20:]) if draw.random() < 0.05 else log[-1])
            arrivals.append(int((now + draw.choice((0.0, 0.0, 0.0, -worst))) * 1000))
        start = at * SIZE
        where = range(start, start + SIZE)
        stamps = arrivals if stamped else None
        yield Run("log", "log", start, start + SIZE, where, lines(*records), CLOCK, arrivals=stamps)


def in_sum(runs: list[Run]) -> dict[str, Any]:
    state = State(PLAN)
    batches = [step(state, run) for run in runs]
    return {
        "facts": folded(batches),
        "duplicates": sum(batch.duplicates for batch in batches),
        "quarantine": [(row.position, row.reason) for batch in batches for row in batch.quarantine],
        "watermarks": [batch.watermark for batch in batches],
        "seen": [row for batch in batches for row in batch.seen],
        "sampled": [one.pair for batch in batches for one in batch.sampled],
    }


@pytest.mark.parametrize("rested", [False, True], ids=["nobody there", "at its end"])
def test_what_is_late_does_not_depend_on_who_was_there_to_wait(rested: bool) -> None:
    state, lateness = State(PLAN), State(PLAN).lateness
    now = int(START * 1000)
    state.watermarks["log"] = now - lateness if rested else 0
    ages = [lateness - 1, 2 * lateness - 1, 2 * lateness + 1, 10 * lateness]
    records = lines(*(request(f"r{age}", (now - age) / 1000) for age in ages))
    [taken] = [
        step(state, Run("log", "log", 0, len(ages), range(len(ages)), records, CLOCK, arrivals=[now] * len(ages)))
    ]
    assert (taken.accepted, [row.reason for row in taken.quarantine]) == (1, ["late"] * 3)
