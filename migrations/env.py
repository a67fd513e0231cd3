"""Alembic's environment: runs on the connection it is handed, or on the URL given by `-x url=…`."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import context

from services.store.tables import metadata


def run(connection: sa.Connection) -> None:
    context.configure(connection=connection, target_metadata=metadata, render_as_batch=True, compare_type=True)
    with context.begin_transaction():
        context.run_migrations()


handed = context.config.attributes.get("connection")
if handed is not None:
    run(handed)
else:
    url = context.get_x_argument(as_dictionary=True).get("url", "sqlite://")
    with sa.create_engine(url).connect() as own:
        run(own)
