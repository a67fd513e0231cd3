"""What processes that share a store may rely on of its server. Subclass `ServerContract`, give a fixture `shared`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from monitor.state import State
from monitor.step import step
from services.errors import FenceError
from services.store import outbox
from services.store import tables as t
from services.store.commit import commit, register, writing
from services.store.turn import take_turn
from tests.support.events import CLOCK, plan, random_log
from tests.support.stores import ListSource, rows_of


class Shared(Protocol):
    """A store that several work on. `at_once` returns what the calls returned; `rest` is for inside of them."""

    @property
    def engine(self) -> Engine: ...

    def at_once(self, *calls: Callable[[], Any]) -> list[Any]: ...

    def rest(self, seconds: float) -> None: ...

    def be_impatient(self, connection: Connection) -> None:
        """Ends this session soon if it idles in its transaction."""
        ...


class ServerContract:
    def test_of_many_that_commit_one_run_one_does_and_the_others_are_refused(self, shared: Shared) -> None:
        source, rules = ListSource(random_log(3, 60)), plan()

        def write() -> str:
            register(shared.engine, source.name, source.incarnation)
            batch = step(State(rules), next(source.runs(0)))
            try:
                commit(shared.engine, batch, None, CLOCK)
            except FenceError:
                return "refused"
            return "committed"

        assert sorted(shared.at_once(write, write, write)) == ["committed", "refused", "refused"]
        (stand,) = rows_of(shared.engine, t.position)
        assert stand.next == len(source.records)

    def test_nothing_is_there_of_a_transaction_that_was_broken_off(self, shared: Shared) -> None:
        def write() -> None:
            with writing(shared.engine) as connection, connection.begin():
                _put(connection)
                raise ZeroDivisionError

        def try_it() -> None:
            with pytest.raises(ZeroDivisionError):
                write()

        shared.at_once(try_it)
        assert rows_of(shared.engine, t.outbox) == []

    def test_nobody_sees_what_is_not_committed(self, shared: Shared) -> None:
        def write() -> None:
            with writing(shared.engine) as connection, connection.begin():
                _put(connection)
                shared.rest(0.6)

        def read() -> tuple[int, int]:
            shared.rest(0.3)
            early = len(rows_of(shared.engine, t.outbox))
            shared.rest(0.8)
            return early, len(rows_of(shared.engine, t.outbox))

        assert shared.at_once(write, read)[1] == (0, 1)

    def test_a_letter_is_one_s_at_a_time(self, shared: Shared) -> None:
        def write() -> None:
            with writing(shared.engine) as connection, connection.begin():
                _put(connection)

        def claim() -> bool:
            with writing(shared.engine) as connection, connection.begin():
                return outbox.claim(connection, "people", 1_000, 9_000) is not None

        shared.at_once(write)
        assert sorted(shared.at_once(claim, claim, claim)) == [False, False, True]

    def test_turns_are_counted_one_after_the_other(self, shared: Shared) -> None:
        def look() -> bool:
            for _ in range(50):
                with take_turn(shared.engine, "shop", "somebody", 1) as connection:
                    if connection is not None:
                        return True
                shared.rest(0.05)
            return False

        took = 0
        for _ in range(3):
            took += sum(map(bool, shared.at_once(look)))
        (row,) = rows_of(shared.engine, t.evaluation)
        assert row.turn == took == 3

    def test_a_session_that_idles_is_ended_and_nothing_of_it_is_written(self, shared: Shared) -> None:
        def sleep() -> str:
            try:
                with writing(shared.engine) as connection, connection.begin():
                    shared.be_impatient(connection)
                    _put(connection, "old")
                    shared.rest(4.0)
                    _put(connection, "older")
            except sa.exc.DBAPIError:
                return "ended"
            return "wrote"

        def come() -> str:
            shared.rest(0.5)
            with writing(shared.engine) as connection, connection.begin():
                _put(connection, "new")
            return "wrote"

        assert shared.at_once(sleep, come) == ["ended", "wrote"]
        assert [row.alert for row in rows_of(shared.engine, t.outbox)] == ["new"]


def _put(connection: Connection, alert: str = "a") -> None:
    outbox.put(connection, alert, "opened", ["people"], "{}", 0)
