"""streams: whose memory an open join is, and what of the quarantine has been relayed"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_INDEX = "ix_quarantine_waiting"
_WAITING = sa.text("relayed IS NULL")


def upgrade() -> None:
    text = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
    op.add_column("open_join", sa.Column("source", text, nullable=False, server_default=""))
    op.add_column("quarantine", sa.Column("key", sa.LargeBinary(), nullable=True))
    op.add_column("quarantine", sa.Column("relayed", sa.BigInteger(), nullable=True))
    if op.get_context().dialect.name != "postgresql":
        op.create_index(_INDEX, "quarantine", ["id"], sqlite_where=_WAITING)
        return
    with op.get_context().autocommit_block():
        op.execute("SET lock_timeout = 0")  # it waits for others, and nobody for it
        op.drop_index(_INDEX, table_name="quarantine", if_exists=True, postgresql_concurrently=True)
        op.create_index(_INDEX, "quarantine", ["id"], postgresql_where=_WAITING, postgresql_concurrently=True)
        op.execute("SET lock_timeout = '5s'")


def downgrade() -> None:
    op.drop_index(_INDEX, table_name="quarantine")
    op.drop_column("quarantine", "relayed")
    op.drop_column("quarantine", "key")
    op.drop_column("open_join", "source")
