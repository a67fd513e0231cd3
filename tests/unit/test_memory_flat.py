"""What a step remembers is bounded by time, however long the log is."""

from __future__ import annotations

import msgspec
import pytest

from monitor.errors import IntegrityError
from monitor.model import Event, Message
from monitor.plan import DeploymentRule, Plan
from monitor.run import Run
from monitor.state import State
from monitor.step import step
from monitor.tails import Tails

MINUTE, PER_MINUTE = 60, 20
MINUTES = 200
WINDOW = 10 + 10
"""Minutes of lateness and of the correction's horizon, the defaults."""


def log(minute: int) -> list[bytes]:
    """A minute's requests, each in a conversation of its own."""
    start = 1_000_000 + minute * MINUTE
    return [
        msgspec.json.encode(
            Event(
                id=f"{minute}-{k}",
                deployment="d",
                variant="v",
                time=float(start + k),
                conversation=f"c{minute}-{k}",
                messages=(Message("user", f"please count up to {minute} and {k}"),),
            )
        )
        for k in range(PER_MINUTE)
    ]


def read(state: State, minute: int) -> list[bytes]:
    """Steps through one minute; returns what the store would keep of the conversations."""
    records = log(minute)
    at = minute * PER_MINUTE
    run = Run("s", "i", at, at + len(records), range(at, at + len(records)), records, clock=10_000_000_000)
    return [body for _, _, body in step(state, run).tails]


@pytest.fixture(scope="module")
def sizes() -> list[tuple[int, int]]:
    """How many ids and conversations are remembered after each minute."""
    state = State(Plan(deployments={"d": DeploymentRule()}))
    found = []
    for minute in range(MINUTES):
        read(state, minute)
        [deployment] = state.deployments
        found.append((len(state.seen), len(deployment.conversations)))
    return found


def test_ids_are_forgotten_after_lateness(sizes: list[tuple[int, int]]) -> None:
    ids = [seen for seen, _ in sizes]
    assert max(ids) <= (WINDOW + 2) * PER_MINUTE
    assert max(ids[MINUTES // 2 :]) == max(ids[WINDOW + 2 : MINUTES // 2]), "flat once the window is full"


def test_conversations_are_forgotten_after_lateness_and_horizon(sizes: list[tuple[int, int]]) -> None:
    tails = [conversations for _, conversations in sizes]
    assert max(tails) <= (WINDOW + 3) * PER_MINUTE
    assert max(tails[MINUTES // 2 :]) == max(tails[WINDOW + 3 : MINUTES // 2]), "flat once the window is full"


def test_broken_conversations_are_refused() -> None:
    [body] = read(State(Plan(deployments={"d": DeploymentRule()})), 0)
    for broken in (body[:-1], b"", body.replace(b"v", b"vv", 1)):
        with pytest.raises(IntegrityError):
            Tails().restore(broken)


def test_restored_conversations_are_forgotten_as_well() -> None:
    plan = Plan(deployments={"d": DeploymentRule()})
    before, after = State(plan), State(plan)
    bodies = [body for minute in range(5) for body in read(before, minute)]
    after.restore({"s": 0}, [], [("d", body) for body in bodies], [], {})
    [deployment] = after.deployments
    assert len(deployment.conversations) == 5 * PER_MINUTE == sum(len(Tails().restore(b)) for b in bodies)
    for minute in (100, 101):
        read(after, minute)
    assert len(deployment.conversations) == 2 * PER_MINUTE
