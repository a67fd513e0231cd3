"""The heartbeat is heard as long as every deployment of the plan is evaluated, and not a moment longer."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from monitor.plan import DeploymentRule, Plan
from services.outbound.heartbeat import FRESH, Heartbeat
from services.store import tables as t
from tests.integration.outbound.conftest import Receiver

NOW = 10_000_000
PLAN = Plan(deployments={"chat": DeploymentRule(), "search": DeploymentRule()})


@pytest.fixture
def heart(engine: Engine, receiver: Receiver) -> Iterator[Heartbeat]:
    made = Heartbeat(engine, PLAN, lambda: NOW, receiver.url, timeout=0.5)
    yield made
    made.close()


def evaluate(engine: Engine, **ages: int) -> None:
    rows = [{"deployment": name, "turn": 1, "at": NOW - age, "worker": "w"} for name, age in ages.items()]
    with engine.begin() as connection:
        connection.execute(sa.insert(t.evaluation), rows)


@pytest.mark.parametrize(
    ("ages", "beats", "why"),
    [
        ({}, True, "there is nothing yet to be looked at"),
        ({"chat": FRESH, "search": 1_000}, True, "all were looked at lately"),
        ({"chat": FRESH + 1, "search": 1_000}, False, "one was not"),
        ({"chat": 0, "gone": 10 * FRESH}, True, "one that the plan no longer has holds up nothing"),
    ],
)
def test_it_beats_while_all_is_looked_at(
    engine: Engine, heart: Heartbeat, receiver: Receiver, ages: dict[str, int], beats: bool, why: str
) -> None:
    if ages:
        evaluate(engine, **ages)
    assert heart.beat() is beats, why
    assert len(receiver.got) == beats


def test_a_watcher_that_does_not_answer_stops_nothing(engine: Engine, heart: Heartbeat, receiver: Receiver) -> None:
    receiver.answers.append((0, {}))
    assert heart.beat() is False
    assert heart.beat() is True
