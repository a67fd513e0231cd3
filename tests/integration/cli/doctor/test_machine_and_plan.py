"""Faults of the machine, the store and the plan, each named by the doctor."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import Any

from services.store.engine import open_engine, upgrade
from tests.support.shop import Shop


def test_a_full_disk(healthy: Shop) -> None:
    assert "GiB free for the store" in healthy.names("disk", "--free", "1000000", logs=False)


def test_a_database_that_cannot_be_reached(healthy: Shop) -> None:
    healthy.db = "sqlite:////nowhere/at/all.db"
    assert "cannot be reached: /nowhere/at is no folder" in healthy.names("database", logs=False)


def test_a_database_url_that_is_none(healthy: Shop) -> None:
    healthy.db = "nonsense"
    assert "is no database URL" in healthy.names("database", logs=False)


def test_a_file_that_is_no_database(healthy: Shop) -> None:
    (healthy.folder / "own.db").write_bytes(b"not a database at all, but long enough to be looked at\n" * 20)
    assert "cannot be read" in healthy.names("database", logs=False)


def test_a_database_of_another_program(healthy: Shop) -> None:
    with sqlite3.connect(healthy.folder / "own.db") as connection:
        connection.execute("CREATE TABLE invoices (id INTEGER)")
    assert "holds tables of another program" in healthy.names("database", logs=False)


def test_a_database_of_a_later_version(healthy: Shop) -> None:
    upgrade(open_engine(healthy.db))
    with sqlite3.connect(healthy.folder / "own.db") as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    assert "version 9999, which this quantwatch does not know" in healthy.names("database", logs=False)


def test_a_database_of_an_earlier_version(healthy: Shop) -> None:
    with sqlite3.connect(healthy.folder / "own.db") as connection:
        connection.execute("CREATE TABLE alembic_version (version_num TEXT)")
        connection.execute("INSERT INTO alembic_version VALUES ('0001')")
    assert "quantwatch db upgrade" in healthy.names("database", state="warn", logs=False)


def test_a_plan_that_cannot_be_read(healthy: Shop) -> None:
    healthy.plan["deploymentz"] = {}
    assert "unknown key `deploymentz`" in healthy.names("plan")


def test_no_plan_at_all(quantwatch: Callable[..., Any]) -> None:
    ran = quantwatch("doctor", "--db", "sqlite:///x.db")
    assert ran.code == 3
    assert "fail  plan: no plan: there is no quantwatch.yaml here" in ran.out


def test_a_reference_without_an_arm(healthy: Shop) -> None:
    del healthy.rule["variants"]["shop-fp16"]["arm"]
    assert "the reference of shop has no `arm`" in healthy.names("plan", logs=False)


def test_texts_that_are_not_kept(healthy: Shop) -> None:
    healthy.plan["text"] = "none"
    assert "nothing can be replayed" in healthy.names("plan", logs=False)


def test_a_webhook_without_its_secret(healthy: Shop) -> None:
    healthy.plan["webhooks"] = [{"url": "https://hooks.example.com/q", "secret_env": "NO_SUCH_SECRET"}]
    assert "not set: NO_SUCH_SECRET" in healthy.names("plan", logs=False)
