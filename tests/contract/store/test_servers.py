"""The simulation's server promises what PostgreSQL does, as far as processes rely on it."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.engine import Connection, Engine

from tests.contract.store.server_contract import ServerContract
from tests.sim.chaos import Chaos, Weather
from tests.sim.database import Place, Server
from tests.sim.jobs import job, wait
from tests.sim.loop import Loop, Process
from tests.support.stores import kept_in, store


class _Simulated:
    def __init__(self, folder: Path) -> None:
        draw = random.Random(1)
        self._loop = Loop(draw)
        chaos = Chaos(self._loop, draw, Weather(), 0.0, self._loop.kill)
        self.server = Server(Place(folder), self._loop, chaos)
        self.engine: Engine = self.server.engine

    def at_once(self, *calls: Callable[[], Any]) -> list[Any]:
        found: dict[int, Any] = {}

        def run(number: int, call: Callable[[], Any]) -> None:
            found[number] = call()

        for number, call in enumerate(calls):
            job(self._loop, Process(f"p{number}"), lambda number=number, call=call: run(number, call))  # type: ignore[misc]
        self._loop.run_while(lambda: len(found) < len(calls))
        assert not self._loop.failures
        return [found[number] for number in range(len(calls))]

    def rest(self, seconds: float) -> None:
        wait(self._loop, seconds)

    def be_impatient(self, connection: Connection) -> None:
        """It always is."""

    def close(self) -> None:
        self.server.close()
        self._loop.close()


class _Real:
    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    def at_once(self, *calls: Callable[[], Any]) -> list[Any]:
        with ThreadPoolExecutor(len(calls)) as pool:
            return [future.result(30) for future in [pool.submit(call) for call in calls]]

    def rest(self, seconds: float) -> None:
        time.sleep(seconds)

    def be_impatient(self, connection: Connection) -> None:
        connection.exec_driver_sql("SET LOCAL idle_in_transaction_session_timeout = '2s'")


class TestSimulatedServer(ServerContract):
    """Every promise, on virtual time."""

    @pytest.fixture
    def shared(self, tmp_path: Path) -> Iterator[_Simulated]:
        made = _Simulated(tmp_path)
        yield made
        made.close()


@pytest.mark.postgres
class TestPostgres(ServerContract):
    """Every promise, on a real server."""

    @pytest.fixture
    def shared(self, tmp_path: Path) -> Iterator[_Real]:
        with kept_in("postgresql"):
            yield _Real(store(tmp_path))
