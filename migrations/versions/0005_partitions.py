"""partitions: on PostgreSQL, facts and deltas lie by deployment and time; what fits nowhere lies in a default

Copies what is there, so that it is for the beginning of a store's life. SQLite has no partitions, and keeps its tables.
"""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_FACT = ("deployment", "variant", "slice", "signal", "definition", "population", "level", "bucket")
_DELTA = ("deployment", "bucket", "id")


def upgrade() -> None:
    if op.get_context().dialect.name != "postgresql":
        return
    for table, key in (("fact", _FACT), ("delta", _DELTA)):
        _rebuild(table, key, " PARTITION BY LIST (deployment)")
        op.execute(f"CREATE TABLE {table}_others PARTITION OF {table} DEFAULT")
        _fill(table)


def downgrade() -> None:
    if op.get_context().dialect.name != "postgresql":
        return
    for table, key in (("fact", _FACT), ("delta", ("id",))):
        _rebuild(table, key, "")
        _fill(table)


def _rebuild(table: str, key: Sequence[str], how: str) -> None:
    """A table of the same columns beside the old one, which keeps its rows under another name."""
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute(f"ALTER TABLE {table} RENAME TO {table}_before")
    op.execute(f"ALTER TABLE {table}_before RENAME CONSTRAINT pk_{table} TO pk_{table}_before")
    index = {"fact": ("deployment", "bucket"), "delta": ("deployment", "grp", "bucket")}[table]
    name = f"ix_{table}_{'_'.join(index)}"
    op.execute(f"ALTER INDEX {name} RENAME TO {name}_before")
    op.execute(f"CREATE TABLE {table} (LIKE {table}_before INCLUDING DEFAULTS){how}")
    op.execute(f"ALTER TABLE {table} ADD CONSTRAINT pk_{table} PRIMARY KEY ({', '.join(key)})")
    op.create_index(name, table, list(index))


def _fill(table: str) -> None:
    op.execute(f"INSERT INTO {table} SELECT * FROM {table}_before")
    if table == "delta":
        owned = sa.text("SELECT pg_get_serial_sequence('delta_before', 'id')")
        sequence = op.get_bind().scalar(owned)
        if sequence is not None:  # else it would go with the old table
            op.execute(f"ALTER SEQUENCE {sequence} OWNED BY delta.id")
    op.execute(f"DROP TABLE {table}_before")
