"""A real HTTP receiver that can misbehave, and an outbox in a real database."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
import uvicorn
from sqlalchemy.engine import Engine
from starlette.types import Receive, Scope, Send

from services.store import outbox, tables
from tests.support.stores import store


@dataclass
class Receiver:
    """Answers with the next of `answers` (status, headers), 204 when there is none; status 0 hangs."""

    answers: deque[tuple[int, dict[str, str]]] = field(default_factory=deque)
    got: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    url: str = ""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        self.got.append(({k.decode(): v.decode() for k, v in scope["headers"]}, body))
        status, headers = self.answers.popleft() if self.answers else (204, {})
        if status == 0:
            await asyncio.sleep(1.5)
            status = 204
        raw = [(name.encode(), value.encode()) for name, value in headers.items()]
        await send({"type": "http.response.start", "status": status, "headers": raw})
        await send({"type": "http.response.body", "body": b""})


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    found = Receiver()
    config = uvicorn.Config(found, host="127.0.0.1", port=0, log_level="error", lifespan="off")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive()
        thread.join(0.02)
    found.url = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}/hook"
    yield found
    server.should_exit = True
    thread.join(10)


class Outbox:
    """Writes and reads outbox rows."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    def put(self, alert: str, *destinations: str, transition: str = "opened", at: float = 0.0) -> int:
        with self.engine.connect().execution_options(writes=True) as connection:
            number = outbox.put(connection, alert, transition, destinations, f'{{"alert":"{alert}"}}', int(at * 1000))
            connection.commit()
        return number

    def rows(self) -> list[Any]:
        with self.engine.connect() as connection:
            return list(connection.execute(sa.select(tables.outbox).order_by(tables.outbox.c.id)))


@pytest.fixture
def engine(either_database: str, tmp_path: Path) -> Iterator[Engine]:
    engine = store(tmp_path)
    yield engine
    engine.dispose()


@pytest.fixture
def letters(engine: Engine) -> Outbox:
    return Outbox(engine)
