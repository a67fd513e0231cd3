"""several processes: turns of evaluation, versions of alerts, totals of sources"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_TOTALS = ("accepted", "duplicates", "quarantined")


def upgrade() -> None:
    key = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
    op.create_table(
        "evaluation",
        sa.Column("deployment", key, nullable=False),
        sa.Column("turn", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("worker", key, nullable=False),
        sa.PrimaryKeyConstraint("deployment", name=op.f("pk_evaluation")),
    )
    op.add_column("alert", sa.Column("version", sa.Integer(), nullable=False, server_default="0"))
    op.execute("UPDATE alert SET version = (SELECT count(*) FROM transition WHERE transition.alert = alert.id)")
    for name in _TOTALS:
        op.add_column("position", sa.Column(name, sa.BigInteger(), nullable=False, server_default="0"))


def downgrade() -> None:
    for name in reversed(_TOTALS):
        op.drop_column("position", name)
    op.drop_column("alert", "version")
    op.drop_table("evaluation")
