"""Records over HTTP: split without being read, stored before they are acknowledged, bounded in every way."""

from __future__ import annotations

import gzip
import json
import zlib

import pytest

from monitor.errors import Reject
from monitor.wire import MAX_BYTES, decode
from services.api.intake import MAX_REQUEST, split
from services.store import inbox, tables
from tests.integration.api.conftest import MARKER, NOW, Client, Store

ONE = b'{"id": "1",\n  "deployment": "chat"}'


@pytest.mark.parametrize(
    ("body", "records", "why"),
    [
        (ONE, [ONE], "one object, over two lines"),
        (b'[{"a": 1}, {"b": [2]},3]', [b'{"a": 1}', b'{"b": [2]}', b"3"], "an array, elements as they are"),
        (b'{"a": 1}\n{"b": 2}\r\n\n', [b'{"a": 1}', b'{"b": 2}'], "lines"),
        (b'{"a": 1}\n{"b": \n{"c": 3}', [b'{"a": 1}', b'{"b":', b'{"c": 3}'], "one broken line spoils no other"),
        (b'{"a": 1}\nrubbish', [b'{"a": 1}', b"rubbish"], "a first line that is whole"),
        (b'[{"a": 1}, {"b"', [b'[{"a": 1}, {"b"'], "a broken array is one record"),
        (b'{\n  "a": 1,\n', [b'{\n  "a": 1,'], "a broken object over lines is one record"),
        (b"\xff\xfe", [b"\xff\xfe"], "no text at all"),
        (b"[" * 100_000, [b"[" * 100_000], "too deep to be split"),
        (b'{"a":' * 100_000, [b'{"a":' * 100_000], "too deep to be read"),
        (b" \n", [], "nothing"),
        (b"[]", [], "an empty array"),
    ],
)
def test_splitting(body: bytes, records: list[bytes], why: str) -> None:
    assert split(body) == records, why


def test_an_oversized_record_is_cut_so_that_it_is_refused_later() -> None:
    long = b'{"id": "' + b"x" * MAX_BYTES + b'"}'
    records = split(b"[" + long + b', {"id": "2"}]')
    assert [len(record) for record in records] == [MAX_BYTES + 1, 11]
    with pytest.raises(Reject, match="oversized"):
        decode(records[0])


def test_accepted_records_are_in_the_inbox(store: Store, client: Client) -> None:
    assert client.post("/v1/events", 202, content=ONE) == {"received": 1, "first": 1, "last": 1}
    assert client.post("/v1/events", 202, content=b"[{}, {}]") == {"received": 2, "first": 2, "last": 3}
    assert client.post("/v1/events", 202, content=b"") == {"received": 0, "first": None, "last": None}
    with store.engine.connect() as connection:
        assert inbox.read(connection, 0, 2) == [(1, int(NOW * 1000), ONE), (2, int(NOW * 1000), b"{}")]
        assert [row[0] for row in inbox.read(connection, 2, 10)] == [3]


def test_ids_never_come_back_after_deletion(store: Store, client: Client) -> None:
    client.post("/v1/events", 202, content=b"[{}, {}]")
    with store.engine.connect().execution_options(writes=True) as connection:
        assert inbox.delete_through(connection, 2) == 2
        connection.commit()
    assert client.post("/v1/events", 202, content=b"{}")["first"] == 3


def test_many_records_keep_their_order(store: Store) -> None:
    bodies = [b"%d" % number for number in range(3_000)]
    ids = inbox.accept(store.engine, bodies, 5)
    assert ids == sorted(ids)
    with store.engine.connect() as connection:
        assert [body for _, _, body in inbox.read(connection, 0, 5_000)] == bodies


def test_gzip_is_unpacked_also_in_members(store: Store, client: Client) -> None:
    packed = gzip.compress(b'[{"a": 1},') + gzip.compress(b'{"b": 2}]')
    sent = {"content": packed, "headers": {"content-encoding": "gzip"}}
    assert client.post("/v1/events", 202, **sent)["received"] == 2


@pytest.mark.parametrize(
    ("body", "encoding", "status"),
    [
        (b"no gzip", "gzip", 400),
        (gzip.compress(b"[{}]")[:-9], "gzip", 400),
        (zlib.compress(b"[{}]"), "gzip", 400),
        (gzip.compress(b"x" * (MAX_REQUEST + 1), 1), "gzip", 413),
        (b"[{}]", "br", 415),
        (b"x" * (MAX_REQUEST + 1), "identity", 413),
    ],
)
def test_what_is_refused(body: bytes, encoding: str, status: int, store: Store, client: Client) -> None:
    answer = client.post("/v1/events", status, content=body, headers={"content-encoding": encoding})
    assert answer["error"]["message"]
    assert store.rows(tables.inbox) == []


def test_a_stream_without_a_length_is_bounded_too(client: Client) -> None:
    async def endless() -> object:
        while True:
            yield b"x" * 1_000_000

    assert client.post("/v1/events", 413, content=endless())["error"]["code"] == "too_large"


def test_a_store_that_fails_is_503_and_says_nothing_of_the_body(store: Store, client: Client) -> None:
    with store.engine.connect() as connection:
        connection.exec_driver_sql("DROP TABLE inbox")
        connection.commit()
    answer = client.ask("POST", "/v1/events", content=json.dumps({"text": MARKER}).encode())
    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "5"
    assert MARKER not in answer.text
