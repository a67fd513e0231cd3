"""The client: every trouble is one class of error, and a page run asks each question once."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from dashboard.client import Api, open_http
from dashboard.errors import ApiError
from dashboard.launch import command
from dashboard.settings import DEFAULT, Connection, connection


@pytest.fixture
def api(world: str) -> Iterator[Api]:
    with open_http(Connection(f"{world}/failing")) as http:
        yield Api(http)


def answering(response: httpx.Response) -> Api:
    """A client of a server that always answers the same."""
    return Api(httpx.Client(base_url="http://api.example", transport=httpx.MockTransport(lambda _: response)))


def test_the_fake_api_answers_every_endpoint(api: Api) -> None:
    where = {"deployment": "support-chat", "variant": "int4-g128", "slice": "strict-json", "signal": "schema"}
    assert api.deployments()[0]["name"] == "support-chat"
    assert api.verdict("support-chat", "int4-g128")["decision"] == "fail"
    assert api.alert("al-0117")["kind"] == "fail"
    assert api.series(**where, population="all")["points"]
    assert api.looks(**where)
    assert len(api.pairs(**where, differing="true", limit=2)) == 2
    assert api.quarantine()["total"] == 3
    api.silence(**where, until=1.0, by="Ada", comment="known")


def test_a_question_is_asked_once_in_a_run(api: Api) -> None:
    assert api.deployments() is api.deployments()


def test_what_does_not_exist_is_told_apart(api: Api) -> None:
    with pytest.raises(ApiError) as caught:
        api.alert("../deployments")
    assert caught.value.missing


@pytest.mark.parametrize(
    ("response", "words"),
    [
        (httpx.Response(401), "refuses the token"),
        (httpx.Response(503), "status 503"),
        (httpx.Response(302), "status 302"),
        (httpx.Response(200, text="<html>"), "not JSON"),
        (httpx.Response(200, json=[1]), "unexpected shape"),
        (httpx.Response(200, json={"deployments": [1]}), "no list of deployments"),
    ],
)
def test_every_bad_answer_says_what_to_check(response: httpx.Response, words: str) -> None:
    with pytest.raises(ApiError, match=words):
        answering(response).deployments()


def test_the_token_is_sent_and_never_shown() -> None:
    where = connection([], {"QUANTWATCH_TOKEN": "secret", "QUANTWATCH_API": "http://api.example/"})
    assert where.base == "http://api.example"
    assert "secret" not in repr(where)
    assert open_http(where).headers["Authorization"] == "Bearer secret"


def test_the_command_line_comes_before_the_environment() -> None:
    assert connection(["--api=http://a"], {"QUANTWATCH_API": "http://b"}).base == "http://a"
    assert connection([], {}) == Connection(DEFAULT)


def test_the_launch_command_is_local_and_sends_nothing_home() -> None:
    line = command(8501, "http://127.0.0.1:8321")
    assert "--server.address=127.0.0.1" in line
    assert "--browser.gatherUsageStats=false" in line
    assert line[-2:] == ["--", "--api=http://127.0.0.1:8321"]
