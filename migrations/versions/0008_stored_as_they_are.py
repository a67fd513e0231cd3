"""stored as they are: the server tries no more to compress what is packed and lives for minutes"""

from __future__ import annotations

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_PACKED = ("tail", "seen")


def upgrade() -> None:
    _store("EXTERNAL")


def downgrade() -> None:
    _store("EXTENDED")


def _store(how: str) -> None:
    """For rows written from now on; touches none that are there."""
    if op.get_context().dialect.name == "postgresql":
        for table in _PACKED:
            op.execute(f"ALTER TABLE {table} ALTER COLUMN body SET STORAGE {how}")
