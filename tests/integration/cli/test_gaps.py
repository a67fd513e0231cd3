"""A log that no longer holds what is to be read of it: said, recorded once, and no reason to hold anything up."""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sa

from services.store import tables as t
from services.store.engine import open_engine
from tests.support.events import START, line, request

DB = ("--db", "sqlite:///x.db")
FIRST, SECOND, OTHER = (line(request(name, START)) + b"\n" for name in ("r1", "r2", "r3"))


@pytest.mark.parametrize(
    ("now", "reason"),
    [(FIRST, "cut"), (FIRST + OTHER, "rewritten"), (OTHER + SECOND, "replaced")],
    ids=["cut", "rewritten", "replaced"],
)
def test_an_ingestion_that_stops_at_a_gap_records_it_once(quantwatch, folder: Path, now: bytes, reason: str) -> None:  # type: ignore[no-untyped-def]
    log = folder / "log.jsonl"
    log.write_bytes(FIRST + SECOND)
    quantwatch("ingest", "log.jsonl", *DB)
    log.write_bytes(now)
    for _ in range(2):
        assert "log.jsonl" in quantwatch("ingest", "log.jsonl", *DB).refusal
    (gaps,) = quantwatch("quarantine", "gaps", "--json", *DB).json
    assert [(gap["source"], gap["position"], gap["until"], gap["reason"]) for gap in gaps] == [
        (f"file:{log}", len(FIRST + SECOND), None, reason)
    ]
    assert reason in quantwatch("quarantine", "gaps", *DB).out
    listed = quantwatch("quarantine", "list", *DB)
    assert (listed.code, listed.err) == (0, "gaps: 1, see `quantwatch quarantine gaps`\n")
    with open_engine("sqlite:///x.db").connect() as connection:
        assert list(connection.scalars(sa.select(t.position.c.closed))) == [True], "it holds up no sealing"


def test_without_gaps_there_is_nothing_to_say(quantwatch, folder: Path) -> None:  # type: ignore[no-untyped-def]
    assert quantwatch("quarantine", "gaps", "--json", *DB).json == [[]]
    assert quantwatch("quarantine", "list", *DB).err == ""


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("none.jsonl", "none.jsonl: No such file"),
        ("no/such", "no/such: No such file"),
        ("no/*.log", "no/*.log: No such"),
    ],
)
def test_what_is_not_there_cannot_be_followed(quantwatch, folder: Path, path: str, said: str) -> None:  # type: ignore[no-untyped-def]
    assert said in quantwatch("up", "--tail", path, *DB).refusal
    assert not (folder / "x.db").exists()
