"""The given database, only looked at: reachable, ours, and at which version. Nothing is written to it."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic.config import Config
from alembic.script import ScriptDirectory

import migrations
from services.doctor.result import Result, fail, ok, warn
from services.errors import StoreError
from services.store.engine import open_engine
from services.store.tables import metadata

_PATIENCE = 5
_UPGRADE = "quantwatch db upgrade"


def database(url: str) -> Result:
    """What lies at a database URL."""
    try:
        parsed = sa.engine.make_url(url)
    except sa.exc.ArgumentError:
        return fail("database", f"{url!r} is no database URL", "write one like sqlite:///quantwatch.db")
    name = parsed.render_as_string(hide_password=True)
    if parsed.get_backend_name() == "sqlite":
        return _sqlite(name, Path(parsed.database or ":memory:"))
    return _server(name, parsed)


def _sqlite(name: str, path: Path) -> Result:
    if str(path) == ":memory:":
        return fail("database", f"{name} is gone when a command ends", "name a file: sqlite:///quantwatch.db")
    folder = path.absolute().parent
    if not folder.is_dir():
        return fail("database", f"{name} cannot be reached: {folder} is no folder", "make the folder, or mend --db")
    if not path.exists():
        return ok("database", f"{name} is not there yet; the first command makes it")
    if not os.access(path, os.W_OK):
        return fail("database", f"{name} cannot be written to", "give this user the right to write it")
    try:
        with _looked_at(path) as connection:
            tables = {row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
            known = "alembic_version" in tables
            versions = [row[0] for row in connection.execute("SELECT * FROM alembic_version")] if known else []
    except sqlite3.Error as error:
        return fail("database", f"{name} cannot be read: {error}", "mend --db, or restore the file")
    return _judged(name, tables - {"sqlite_sequence"}, versions)


@contextmanager
def _looked_at(path: Path) -> Iterator[sqlite3.Connection]:
    """A file opened so that not even the log beside it is touched; a log that is in use is read, too."""
    in_use = path.with_name(path.name + "-wal").exists()
    address = f"{path.absolute().as_uri()}?mode=ro{'' if in_use else '&immutable=1'}"
    with closing(sqlite3.connect(address, uri=True, timeout=_PATIENCE)) as connection:
        yield connection


def _server(name: str, url: sa.engine.URL) -> Result:
    patient = url.update_query_dict({"connect_timeout": str(_PATIENCE)}) if "connect_timeout" not in url.query else url
    try:
        engine = open_engine(patient.render_as_string(hide_password=False))
        with engine.connect() as connection:
            tables = set(sa.inspect(connection).get_table_names())
            versions = _versions(connection) if "alembic_version" in tables else []
            connection.rollback()
    except StoreError as error:
        return fail("database", str(error), "mend --db, or install the driver that it names")
    except sa.exc.SQLAlchemyError as error:
        kind = type(getattr(error, "orig", None) or error).__name__
        return fail("database", f"{name} cannot be reached ({kind})", "start it, or mend address, user and password")
    return _judged(name, tables, versions)


def _versions(connection: sa.Connection) -> list[Any]:
    return list(connection.scalars(sa.text("SELECT version_num FROM alembic_version")))


def _judged(name: str, tables: set[str], versions: list[Any]) -> Result:
    """Whose tables these are, and of which version."""
    newest, known = _known()
    if not tables:
        return ok("database", f"{name} is empty; the first command makes its tables")
    if not versions:
        what = "tables of another program" if not tables & set(metadata.tables) else "tables without a version"
        return fail("database", f"{name} holds {what}", "give quantwatch a database of its own with --db")
    if versions[0] not in known:
        return fail(
            "database",
            f"{name} is at version {versions[0]}, which this quantwatch does not know",
            "install a newer one",
        )
    if versions[0] != newest:
        said = f"{name} is at version {versions[0]}, the newest is {newest}"
        return warn("database", f"{said}; the next command that opens it brings it there", _UPGRADE)
    return ok("database", f"{name} is reachable and at the newest version")


def _known() -> tuple[str, set[str]]:
    """The newest version of the schema, and all of them."""
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    scripts = ScriptDirectory.from_config(config)
    return str(scripts.get_current_head()), {str(script.revision) for script in scripts.walk_revisions()}
