"""Alembic's environment: runs on the connection it is handed, or on the URL given by `-x url=…`."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import context

from services.store.tables import metadata

PARTITIONED = ("fact_", "delta_")


def meant(_: object, name: str | None, kind: str, reflected: bool, counterpart: object) -> bool:
    """Partitions come and go by themselves; no migration makes them."""
    return not (kind == "table" and reflected and counterpart is None and (name or "").startswith(PARTITIONED))


def run(connection: sa.Connection) -> None:
    context.configure(
        connection=connection,
        target_metadata=metadata,
        render_as_batch=True,
        compare_type=True,
        include_object=meant,
        # Each gives its locks back before the next begins.
        transaction_per_migration=True,
    )
    with context.begin_transaction():
        context.run_migrations()


handed = context.config.attributes.get("connection")
if handed is not None:
    run(handed)
else:
    url = context.get_x_argument(as_dictionary=True).get("url", "sqlite://")
    with sa.create_engine(url).connect() as own:
        run(own)
