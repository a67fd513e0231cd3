"""Many rows at once, and rows of which the first wins: by COPY and by arrays on PostgreSQL."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects import sqlite
from sqlalchemy.engine import Connection

Row = Mapping[str, Any]

_TYPES: Final[dict[type, str]] = {
    sa.BigInteger: "int8",
    sa.Boolean: "bool",
    sa.Float: "float8",
    sa.Integer: "int4",
    sa.LargeBinary: "bytea",
    sa.Text: "text",
}
"""What PostgreSQL calls the types of our columns."""


def insert(connection: Connection, table: sa.Table, rows: Sequence[Row]) -> None:
    """Inserts rows that all have the same keys, as part of the connection's transaction."""
    if not rows:
        return
    if connection.dialect.name != "postgresql":
        connection.execute(sa.insert(table), list(rows))
        return
    import psycopg  # an extra

    try:
        _copy(connection, table, rows)
    except psycopg.Error as error:
        error.args = (first_line(error),)
        raise sa.exc.DBAPIError.instance(
            f"COPY {table.name}", None, error, psycopg.Error, hide_parameters=True
        ) from None


def insert_new(connection: Connection, table: sa.Table, rows: Sequence[Row]) -> None:
    """Inserts rows whose key is not there yet; the first one wins."""
    if not rows:
        return
    if connection.dialect.name == "postgresql":
        _insert_arrays(connection, table, rows)
    else:
        connection.execute(sqlite.insert(table).on_conflict_do_nothing(), list(rows))


def _insert_arrays(connection: Connection, table: sa.Table, rows: Sequence[Row]) -> None:
    """COPY knows no conflicts; one statement with an array a column is nearly as fast."""
    names = list(rows[0])
    arrays = ", ".join(f"%s::{_type(table, name)}[]" for name in names)
    connection.exec_driver_sql(
        f'INSERT INTO "{table.name}" ({_columns(names)}) SELECT * FROM unnest({arrays}) ON CONFLICT DO NOTHING',
        tuple([row[name] for row in rows] for name in names),
    )


def _type(table: sa.Table, name: str) -> str:
    return _TYPES[type(table.c[name].type)]


def _columns(names: Sequence[str]) -> str:
    return ", ".join(f'"{name}"' for name in names)


def _copy(connection: Connection, table: sa.Table, rows: Sequence[Row]) -> None:
    names = list(rows[0])
    raw: Any = connection.connection.driver_connection
    statement = f'COPY "{table.name}" ({_columns(names)}) FROM STDIN (FORMAT BINARY)'
    with raw.cursor() as cursor, cursor.copy(statement) as copy:
        copy.set_types([_type(table, name) for name in names])
        for row in rows:
            copy.write_row([row[name] for name in names])


def first_line(error: object) -> str:
    """What went wrong without its details, which repeat the row."""
    return str(error).strip().partition("\n")[0]
