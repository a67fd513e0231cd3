"""indexes: for the dashboard's questions and for leases, made without keeping writers waiting"""

from __future__ import annotations

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_INDEXES = {
    "ix_look_variant_deployment": ("look", ["variant", "deployment"]),
    "ix_pair_deployment_variant_bucket": ("pair", ["deployment", "variant", "bucket"]),
    "ix_queue_at_pair_id": ("queue", ["at", "pair_id"]),
}


def upgrade() -> None:
    for name, (table, columns) in _INDEXES.items():
        if op.get_context().dialect.name != "postgresql":
            op.create_index(name, table, columns)
            continue
        with op.get_context().autocommit_block():
            op.execute("SET lock_timeout = 0")  # it waits for others, and nobody for it
            # One that was broken off lies there and is of no use.
            op.drop_index(name, table_name=table, if_exists=True, postgresql_concurrently=True)
            op.create_index(name, table, columns, postgresql_concurrently=True)
            op.execute("SET lock_timeout = '5s'")


def downgrade() -> None:
    for name, (table, _) in reversed(_INDEXES.items()):
        op.drop_index(name, table_name=table)
