"""The dispatcher: at least once, one key for all attempts, patience with an end, nobody held up by others."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.engine import Engine

from monitor.plan import Plan
from services import rounds
from services.loops import Loops
from services.outbound.dispatcher import LEASE_SECONDS, Patience, dispatch_due
from services.outbound.webhook import Webhook
from services.store import outbox
from services.store.clock import clock_of
from tests.integration.outbound.conftest import Outbox, Receiver

KEY = bytes(range(32))


@pytest.fixture
def hooks(receiver: Receiver) -> Iterator[dict[str, Webhook]]:
    webhook = Webhook(receiver.url, KEY, timeout=0.5)
    yield {"webhook:a": webhook}
    webhook.close()


def test_what_is_due_is_delivered_once(
    engine: Engine, letters: Outbox, receiver: Receiver, hooks: dict[str, Webhook]
) -> None:
    assert letters.put("one", "webhook:a") == 1
    assert letters.put("one", "webhook:a") == 0
    letters.put("later", "webhook:a", at=100.0)
    assert dispatch_due(engine, hooks, 1.0) == 1
    assert dispatch_due(engine, hooks, 2.0) == 0
    assert [body for _, body in receiver.got] == [b'{"alert":"one"}']
    assert [(row.state, row.attempts) for row in letters.rows()] == [("delivered", 1), ("pending", 0)]


def test_failures_back_off_with_one_key(
    engine: Engine, letters: Outbox, receiver: Receiver, hooks: dict[str, Webhook]
) -> None:
    letters.put("one", "webhook:a")
    receiver.answers.extend([(500, {}), (0, {}), (503, {"retry-after": "600"})])
    assert dispatch_due(engine, hooks, 1_000.0) == 0
    assert letters.rows()[0].next_at == pytest.approx(1_005_000, abs=1_000)
    assert dispatch_due(engine, hooks, 1_003.0) == 0
    assert len(receiver.got) == 1
    dispatch_due(engine, hooks, 1_010.0)
    assert letters.rows()[0].next_at == pytest.approx(1_020_500, abs=1_500)
    dispatch_due(engine, hooks, 1_030.0)
    assert letters.rows()[0].next_at == pytest.approx(1_630_000, abs=1_000)
    assert dispatch_due(engine, hooks, 2_000.0) == 1
    assert [headers["webhook-id"] for headers, _ in receiver.got] == ["one_opened"] * 4
    assert len({headers["webhook-signature"] for headers, _ in receiver.got}) == 4
    assert (letters.rows()[0].state, letters.rows()[0].attempts, letters.rows()[0].error) == ("delivered", 4, None)


def test_patience_ends_in_a_dead_letter(
    engine: Engine, letters: Outbox, receiver: Receiver, hooks: dict[str, Webhook]
) -> None:
    letters.put("one", "webhook:a")
    receiver.answers.extend([(500, {})] * 3)
    for attempt in range(5):
        dispatch_due(engine, hooks, 100.0 * attempt, Patience(attempts=3))
    assert len(receiver.got) == 3
    assert (letters.rows()[0].state, letters.rows()[0].error) == ("dead", "status 500")
    with engine.connect() as connection:
        assert outbox.dead_letters(connection) == 1


def test_gone_and_unknown_destinations_are_dead_at_once(
    engine: Engine, letters: Outbox, receiver: Receiver, hooks: dict[str, Webhook]
) -> None:
    letters.put("one", "webhook:a", "webhook:removed")
    receiver.answers.append((410, {}))
    assert dispatch_due(engine, hooks, 1.0) == 0
    found = {row.destination: (row.state, row.error) for row in letters.rows()}
    assert found == {"webhook:a": ("dead", "status 410"), "webhook:removed": ("dead", "no such destination")}


def test_one_that_refuses_connections_does_not_hold_up_another(
    engine: Engine, letters: Outbox, receiver: Receiver, hooks: dict[str, Webhook]
) -> None:
    for number in range(5):
        letters.put(f"n{number}", "webhook:a", "webhook:b")
    refused = Webhook("http://127.0.0.1:9/", KEY, timeout=0.5)
    assert dispatch_due(engine, {**hooks, "webhook:b": refused}, 1.0) == 5
    refused.close()
    waiting = [row for row in letters.rows() if row.destination == "webhook:b"]
    assert [row.attempts for row in waiting] == [1, 0, 0, 0, 0]
    assert [body[10:12] for _, body in receiver.got] == [b"n0", b"n1", b"n2", b"n3", b"n4"]


def test_two_dispatchers_share_without_sending_twice(
    engine: Engine, letters: Outbox, receiver: Receiver, hooks: dict[str, Webhook]
) -> None:
    for number in range(30):
        letters.put(f"n{number}", "webhook:a")
    threads = [threading.Thread(target=dispatch_due, args=(engine, hooks, 1.0)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    ids = [headers["webhook-id"] for headers, _ in receiver.got]
    assert sorted(ids) == sorted(f"n{number}_opened" for number in range(30))


def test_a_dispatcher_that_died_in_the_middle_loses_nothing(
    engine: Engine, letters: Outbox, receiver: Receiver, hooks: dict[str, Webhook]
) -> None:
    letters.put("one", "webhook:a")
    with engine.connect().execution_options(writes=True) as connection:
        claimed = outbox.claim(connection, "webhook:a", 1_000, int((1 + LEASE_SECONDS) * 1_000))
        connection.commit()
    assert claimed is not None
    assert dispatch_due(engine, hooks, 2.0) == 0
    assert dispatch_due(engine, hooks, 2.0 + LEASE_SECONDS) == 1
    with engine.connect().execution_options(writes=True) as connection:
        assert outbox.settle(connection, claimed, outbox.PENDING, 0, "late") is False
        connection.commit()
    assert letters.rows()[0].state == "delivered"


def test_the_loop_delivers_and_stops(
    engine: Engine, letters: Outbox, receiver: Receiver, hooks: dict[str, Webhook]
) -> None:
    stop = threading.Event()
    loops = Loops(stop, engine)
    rounds.dispatch(loops, engine, Plan(), clock_of(engine), hooks, 0.02)
    thread = threading.Thread(target=loops.run)
    thread.start()
    letters.put("one", "webhook:a")
    until = time.monotonic() + 30
    while not receiver.got and time.monotonic() < until:
        time.sleep(0.02)
    stop.set()
    thread.join(10)
    assert not thread.is_alive()
    assert len(receiver.got) == 1


@given(st.integers(1, 2_000), st.none() | st.floats(0, 86_400))
def test_waits_grow_to_a_limit_and_honour_the_receiver(attempts: int, asked: float | None) -> None:
    patience = Patience()
    wait = patience.wait(attempts, asked)
    assert patience.first <= wait <= max(patience.longest, asked or 0.0)
    assert asked is None or wait >= asked
    assert patience.wait(attempts + 1, asked) >= wait
