"""The token, health, a real server, and how fast it starts."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
import uvicorn
from fastapi.routing import APIRoute
from sqlalchemy.engine import Engine

from services.api.app import ROUTERS, create_app
from services.store import tables
from tests.integration.api.conftest import PLAN, Client, Store

HEAVY = ("torch", "streamlit", "transformers", "faust", "numba", "httpx", "alembic")


@pytest.mark.parametrize("sent", [None, "wrong", "t0ke", "t0kenn", "T0KEN"])
def test_everything_but_live_needs_the_token(sent: str | None, make_client: Callable[..., Client]) -> None:
    client = make_client(token="t0ken", send=sent)
    for path in ("/v1/deployments", "/v1/alerts", "/v1/health/ready", "/v1/health/live/", "/anything", "/v1/pairs"):
        answer = client.ask("GET", path)
        assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer"), path
        assert answer.json()["error"]["code"] == "unauthorized"
    assert client.ask("POST", "/v1/events", content=b"{}").status_code == 401
    assert client.get("/v1/health/live") == {"live": True}


def test_the_token_opens(make_client: Callable[..., Client]) -> None:
    client = make_client(token="t0ken", send="t0ken")
    assert client.get("/v1/health/ready") == {
        "ready": True,
        "sources": 0,
        "dead_letters": 0,
        "gaps": 0,
        "evaluated": None,
    }
    assert client.post("/v1/events", 202, content=b"{}")["received"] == 1


def test_not_ready_without_tables(store: Store, client: Client) -> None:
    with store.engine.connect() as connection:
        connection.exec_driver_sql("DROP TABLE position")
        connection.commit()
    answer = client.ask("GET", "/v1/health/ready")
    assert (answer.status_code, answer.json()["ready"]) == (503, False)


@pytest.fixture
def address(engine: Engine) -> Iterator[str]:
    app = create_app(engine, PLAN, token="t0ken")
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_level="warning"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive()
        thread.join(0.02)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    thread.join(10)


def test_a_real_server_takes_events_from_many_at_once(address: str, store: Store) -> None:
    def send(number: int) -> None:
        with httpx.Client(base_url=address, headers={"authorization": "Bearer t0ken"}, trust_env=False) as http:
            for step in range(10):
                body = b'{"n": %d}\n{"n": %d}' % (number, step)
                answers.append(http.post("/v1/events", content=body).status_code)

    answers: list[int] = []
    threads = [threading.Thread(target=send, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert answers == [202] * 60
    assert len(store.rows(tables.inbox)) == 120
    assert httpx.get(f"{address}/v1/verdict/int4/", trust_env=False).status_code == 401
    ready = httpx.get(f"{address}/v1/health/ready", headers={"authorization": "Bearer t0ken"}, trust_env=False)
    assert ready.json()["ready"] is True


def test_the_application_loads_nothing_heavy() -> None:
    code = f"import sys, services.api.app; print([m for m in {HEAVY} if m in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert found.stdout.strip() == "[]"


def test_every_route_is_documented() -> None:
    documented = (Path(__file__).parents[3] / "docs" / "api.md").read_text()
    paths = {route.path for module in ROUTERS for route in module.router.routes if isinstance(route, APIRoute)}
    assert len(paths) > 10
    for path in paths:
        assert re.sub(r"\{variant:path\}", "{variant}", path).replace("{name}", "{id}") in documented, path
