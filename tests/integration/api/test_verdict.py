"""The verdict endpoint: JSON with every key, whatever is asked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from monitor.model import Decision, Verdict
from tests.integration.api.conftest import NOW, Client, Store, make_verdict

KEYS = {*Verdict.__dataclass_fields__, "links"}


def test_the_latest_look(store: Store, client: Client) -> None:
    store.look(make_verdict(decision=Decision.HOLD, as_of=NOW - 780, reason="thin"))
    store.look(make_verdict())
    said = client.get("/v1/verdict/int4", deployment="chat")
    assert set(said) == KEYS
    assert (said["decision"], said["checks"][0]["pairs"], said["worst"]) == ("fail", 400, ["json"])
    assert client.get(said["links"]["self"]) == said
    assert client.get("/v1/verdict/int4", as_of=NOW - 780)["reason"] == "thin"
    assert client.get("/v1/verdict/int4", as_of=NOW - 900)["reason"] == "no evidence yet"


@pytest.mark.parametrize(
    ("path", "params", "reason"),
    [
        ("/v1/verdict/int4", {}, "no evidence yet"),
        ("/v1/verdict/int4/", {"deployment": "chat"}, "no evidence yet"),
        ("/v1/verdict/org%2Fint8", {}, "no evidence yet"),
        ("/v1/verdict/org/int8", {}, "no evidence yet"),
        ("/v1/verdict/int2", {}, "unknown variant"),
        ("/v1/verdict/int2", {"deployment": "chat"}, "unknown variant"),
        ("/v1/verdict/int4", {"deployment": "nowhere"}, "unknown deployment"),
        ("/v1/verdict/bf16", {}, "several deployments have it (chat, search): say which one"),
    ],
)
def test_no_look_is_hold_with_the_reason(path: str, params: dict[str, str], reason: str, client: Client) -> None:
    said = client.get(path, **params)
    assert (said["decision"], said["reason"], set(said)) == ("hold", reason, KEYS)


@pytest.mark.parametrize(
    ("method", "path", "params", "status"),
    [
        ("GET", "/v1/verdict", {}, 404),
        ("GET", "/v1/verdict/", {}, 404),
        ("GET", "/v1/verdict/int4", {"as_of": "yesterday"}, 422),
        ("GET", "/v1/verdict/int4", {"as_of": "nan"}, 422),
        ("POST", "/v1/verdict/int4", {}, 405),
    ],
)
def test_errors_have_the_keys_too(method: str, path: str, params: dict[str, Any], status: int, client: Client) -> None:
    answer = client.ask(method, path, params=params)
    assert answer.status_code == status
    assert set(answer.json()) == {*KEYS, "error"}
    assert answer.json()["decision"] == "hold"


def test_without_the_token_there_is_no_verdict_but_the_keys(make_client: Callable[..., Client]) -> None:
    answer = make_client(token="t0ken").ask("GET", "/v1/verdict/int4")
    assert answer.status_code == 401
    assert set(answer.json()) == {*KEYS, "error"}
    assert answer.json()["decision"] == "hold"


@pytest.mark.parametrize(("decision", "aged"), [("pass", "hold"), ("hold", "hold"), ("fail", "fail")])
def test_an_old_look_says_hold_but_a_fail_latches(decision: str, aged: str, store: Store, client: Client) -> None:
    # A minute's bucket, ten minutes each of lateness and pair horizon, and a quarter of an hour.
    store.look(make_verdict(decision=Decision(decision), as_of=NOW - 2_161), at=NOW)
    said = client.get("/v1/verdict/int4")
    assert (said["decision"], said["stale"]) == (aged, True)
    assert "stale: the newest evidence is 36 minutes old" in said["reason"]
    assert client.get("/v1/verdict/int4", as_of=NOW)["decision"] == decision


def test_a_store_without_tables_is_503_with_the_keys(store: Store, client: Client) -> None:
    with store.engine.connect() as connection:
        connection.exec_driver_sql("DROP TABLE look")
        connection.commit()
    answer = client.ask("GET", "/v1/verdict/int4", params={"deployment": "chat"})
    assert answer.status_code == 503
    assert answer.headers["retry-after"]
    assert set(answer.json()) == {*KEYS, "error"}
