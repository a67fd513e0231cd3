"""Extracts made of native records."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from monitor.plan import Plan
from monitor.run import Run
from monitor.survey.extract import Extract
from monitor.survey.survey import Survey, extract_of, survey
from tests.support.events import CLOCK, Json, line

OPEN = Plan()


def run_of(records: Sequence[Json | bytes], source: str = "file:/log.jsonl", clock: int = CLOCK) -> Run:
    raws = [record if isinstance(record, bytes) else line(record) for record in records]
    positions, at = [], 0
    for raw in raws:
        positions.append(at)
        at += len(raw) + 1
    return Run(source, "x", 0, at, positions, raws, clock, drained=True)


@pytest.fixture
def extract() -> Callable[..., Extract]:
    """The extract of some records, read under a plan."""

    def make(records: Sequence[Json | bytes], plan: Plan = OPEN, clock: int = CLOCK) -> Extract:
        return extract_of([run_of(records, clock=clock)], plan, len(records))

    return make


@pytest.fixture
def surveyed() -> Callable[..., Survey]:
    """The survey of some records under a plan."""

    def make(records: Sequence[Json | bytes], plan: Plan = OPEN, clock: int = CLOCK) -> Survey:
        run = run_of(records, clock=clock)
        return survey(extract_of([run], plan, len(records)), [run], plan)

    return make
