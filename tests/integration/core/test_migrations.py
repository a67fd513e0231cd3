"""The migrations make the tables that the code means, and can be taken back and made again, with rows in them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from sqlalchemy.engine import Engine

import migrations
from services.errors import StoreError
from services.store.engine import open_engine, upgrade
from services.store.tables import metadata
from tests.support import postgres
from tests.support.events import START, lines, plan, random_log, request
from tests.support.stores import ListSource, seal_all, sealed_facts, take

FIRST = "0001"


@pytest.fixture
def engine(either_database: str, tmp_path: Path) -> Iterator[Engine]:
    """A database without tables."""
    if either_database == "sqlite":
        yield open_engine(f"sqlite:///{tmp_path / 'x.db'}")
        return
    with postgres.database(empty=True) as url:
        made = open_engine(url)
        yield made
        made.dispose()


def alembic(engine: Engine, what: str, *words: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    with engine.connect() as connection:
        config.attributes["connection"] = connection
        getattr(command, what)(config, *words)
        connection.commit()


def schema(engine: Engine) -> list[str]:
    """Everything that the database says of its tables, in one order."""
    inspector = sa.inspect(engine)
    said = []
    for name in inspector.get_table_names():
        columns = sorted(
            (c["name"], str(c["type"]), c["nullable"], str(c["default"])) for c in inspector.get_columns(name)
        )
        indexes = sorted(map(_index, inspector.get_indexes(name)))
        said.append(f"{name}: {columns} {sorted(inspector.get_pk_constraint(name)['constrained_columns'])} {indexes}")
    return sorted(said)


def _index(found: Any) -> str:
    options = {name: str(value) for name, value in found.get("dialect_options", {}).items()}
    return f"{found['name']} {found['column_names']} {found['unique']} {options}"


Columns = dict[str, set[str]]


def columns(engine: Engine) -> Columns:
    """The tables and columns of now."""
    inspector = sa.inspect(engine)
    return {name: {c["name"] for c in inspector.get_columns(name)} for name in inspector.get_table_names()}


def contents(engine: Engine, of: Columns) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of these tables, without other columns."""
    with engine.connect() as connection:
        return {
            name: sorted((tuple(row) for row in connection.execute(_only(table, of[name]))), key=repr)
            for name, table in metadata.tables.items()
            if name in of
        }


def _only(table: sa.Table, names: set[str]) -> sa.Select[Any]:
    return sa.select(*(column for column in table.c if column.name in names))


def test_up_down_and_up_again_leaves_the_same_schema(engine: Engine) -> None:
    upgrade(engine)
    first = schema(engine)
    names = set(sa.inspect(engine).get_table_names()) - {"fact_others", "delta_others"}
    assert names == {*metadata.tables, "alembic_version"}
    alembic(engine, "downgrade", "base")
    assert set(sa.inspect(engine).get_table_names()) <= {"alembic_version", "sqlite_sequence"}
    upgrade(engine)
    assert schema(engine) == first
    upgrade(engine)
    assert schema(engine) == first


def test_the_code_s_tables_need_no_further_migration(engine: Engine) -> None:
    upgrade(engine)
    alembic(engine, "check")


def test_rows_survive_the_way_down_and_up_again(engine: Engine) -> None:
    watched = plan()
    upgrade(engine)
    log, later = random_log(3, 150), lines(request("later", START + 5_000))
    take(engine, watched, ListSource(log, size=50))
    seal_all(engine, watched)
    take(engine, watched, ListSource(later, drains=False, name="open"), finish=False)
    newest, first = columns(engine), schema(engine)
    held = contents(engine, newest)
    assert {"fact", "delta", "pair", "arm", "queue", "position", "quarantine", "seal", "tail"} <= {
        name for name, rows in held.items() if rows
    }
    alembic(engine, "downgrade", FIRST)
    kept = columns(engine)
    before = contents(engine, kept)
    alembic(engine, "upgrade", "head")
    assert schema(engine) == first
    assert contents(engine, kept) == before
    assert all(len(rows) == len(held[name]) for name, rows in before.items())
    seal_all(engine, watched)
    assert len(sealed_facts(engine)) > len(held["fact"]), "and the store goes on working"


def test_a_store_is_safe_for_a_writer_and_readers_at_once(tmp_path: Path) -> None:
    engine = open_engine(f"sqlite:///{tmp_path / 'x.db'}")
    upgrade(engine)
    with engine.connect() as connection:
        pragmas = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in ("journal_mode", "secure_delete")
        }
    assert pragmas == {"journal_mode": "wal", "secure_delete": 1}


@pytest.mark.postgres
def test_processes_that_start_together_migrate_once() -> None:
    with postgres.database(empty=True) as url:
        engines = [open_engine(url) for _ in range(4)]
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(upgrade, engines))
        assert set(metadata.tables) <= set(sa.inspect(engines[0]).get_table_names())
        for each in engines:
            each.dispose()


@pytest.mark.postgres
def test_a_migration_gives_up_within_seconds_where_somebody_reads_on_and_can_be_done_later() -> None:
    with postgres.database(empty=True) as url:
        engine, reader = open_engine(url), open_engine(url)
        upgrade(engine)
        alembic(engine, "downgrade", "0003")
        with reader.connect() as reading:
            reading.execute(sa.text("SELECT * FROM position"))
            began = time.monotonic()
            with pytest.raises(StoreError, match="lock timeout"):
                upgrade(engine)
            assert time.monotonic() - began < 15
        upgrade(engine)
        alembic(engine, "check")
        engine.dispose()
        reader.dispose()
