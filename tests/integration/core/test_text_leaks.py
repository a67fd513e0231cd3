"""Text of prompts and outputs lies where it is meant to lie, and nowhere else."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from services.ingest.inbox import Inbox
from services.runtime import Ingestion
from services.store import inbox
from services.store import tables as t
from services.store.commit import register
from tests.support.events import GARBAGE, START, Json, feedback, line, lines, plan, request
from tests.support.stores import CLOCK, ListSource, clock, look, rows_of, seal_all, store, take

MARK = "xylophone-4711"
ALLOWED = {("queue", "event"), ("inbox", "body"), ("pair_text", "body"), ("quarantine", "body")}
PROMPT = [{"role": "system", "content": MARK}, {"role": "user", "content": f"please look up parcel {MARK} for me"}]


def marked() -> list[Json]:
    """Requests that carry the mark wherever text may stand, and requests that are refused for each reason."""
    whole: Json = {
        "messages": PROMPT,
        "output": {"text": f"it is {MARK}", "tool_calls": [{"name": MARK, "arguments": f'{{"a":"{MARK}"}}'}]},
        "reference": {"text": f"no, {MARK}"},
        "expected": {"kind": "text", "value": MARK},
        "response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": {"const": MARK}}},
        "tools": [{"type": "function", "function": {"name": MARK, "parameters": {"const": MARK}}}],
        "user": MARK,
        "conversation": MARK,
    }
    return [
        request("whole", START, **whole),
        request("queued", START + 1, messages=PROMPT),
        request("role", START, messages=[{"role": MARK, "content": MARK}]),
        request("typed", START, messages=MARK),
        request("tags", START, tags={MARK: 1}),
        request("time", START) | {"time": MARK},
        request("action", START, action=MARK),
        request("late", START - 900, messages=PROMPT),
        request("early", 4_000_000_000, messages=PROMPT),
        request("stranger", START, variant="nobody", messages=PROMPT),
        request("nul", START, messages=[{"role": "user", "content": f"{MARK}\0"}]),
        feedback("f", "whole", START, rating=MARK),
        {"kind": MARK, "deployment": "shop"},
    ]


def log() -> list[bytes]:
    return [*lines(*marked()), f'{{"broken": "{MARK}'.encode(), f'{{"\xff": "{MARK}"}}'.encode("latin-1"), *GARBAGE]


def holding(engine: Engine) -> set[tuple[str, str]]:
    """Every (table, column) in which the mark lies."""
    found = set()
    for table in t.metadata.sorted_tables:
        for row in rows_of(engine, table):
            for column, value in row._asdict().items():
                whole = value if isinstance(value, bytes) else str(value).encode()
                if MARK.encode() in whole:
                    found.add((table.name, column))
    return found


@pytest.mark.usefixtures("either_database")
def test_the_database_holds_text_in_four_columns_only(tmp_path: Path) -> None:
    engine, watched = store(tmp_path), plan(shadow={"share": 1.0})
    take(engine, watched, ListSource(log(), size=4))
    inbox.accept(engine, log(), CLOCK)
    seal_all(engine, watched)
    look(engine, watched, "shop-int4")
    assert holding(engine) == ALLOWED


def test_without_kept_text_no_byte_of_the_database_holds_any(tmp_path: Path) -> None:
    engine, watched = store(tmp_path), plan(text="none", shadow={"share": 1.0})
    inbox.accept(engine, log(), int(START * 1000))
    ingestion = Ingestion(engine, watched, clock)
    for source in (ListSource(log(), size=4, drains=False), Inbox(engine, clock)):
        ingestion.read(source)
        ingestion.finish(source)
    seal_all(engine, watched)
    look(engine, watched, "shop-int4")
    assert holding(engine) == set()
    with engine.connect() as connection:
        connection.exec_driver_sql("COMMIT")
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    engine.dispose()
    for file in tmp_path.iterdir():
        assert MARK.encode() not in file.read_bytes(), file.name


def test_logs_and_exceptions_hold_no_text(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    engine, watched = store(tmp_path), plan(shadow={"share": 1.0})
    with engine.begin() as connection:
        full = "CREATE TRIGGER full BEFORE INSERT ON queue BEGIN SELECT RAISE(ABORT, 'disk full'); END"
        connection.exec_driver_sql(full)
    with pytest.raises(Exception, match="disk full") as failed:
        Ingestion(engine, watched, clock).read(ListSource(log()))
    with engine.begin() as connection:
        connection.exec_driver_sql("DROP TRIGGER full")
    register(engine, "log", "log")
    take(engine, watched, ListSource(log(), size=3))
    printed = capfd.readouterr()
    for text in (str(failed.value), repr(failed.value), caplog.text, printed.out, printed.err):
        assert MARK not in text
    assert failed.value.__suppress_context__


def test_an_error_of_the_database_does_not_show_what_was_to_be_written(tmp_path: Path) -> None:
    engine = store(tmp_path)
    with engine.begin() as connection:
        connection.exec_driver_sql("DROP TABLE inbox")
    with pytest.raises(sa.exc.DBAPIError) as failed:
        inbox.accept(engine, [line(request("r", START, messages=PROMPT))], CLOCK)
    assert MARK not in str(failed.value)


def test_the_planted_mark_would_be_found(tmp_path: Path) -> None:
    engine = store(tmp_path)
    with engine.begin() as connection:
        connection.execute(sa.insert(t.silence).values(deployment="d", until=1, by=MARK, comment="", at=1))
    assert holding(engine) == {("silence", "by")}
