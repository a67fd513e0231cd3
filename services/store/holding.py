"""Who writes open facts and who seals them take turns, a deployment each: nothing enters a bucket as it is sealed.

On SQLite writers come one by one anyway. The locks last as long as the transaction, also where a process is stopped.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

_SEALING: Final = 0x1B0E


def keep_open(connection: Connection, deployments: Iterable[str]) -> None:
    """Lets nobody seal these deployments until the end of the transaction. Any number of writers may."""
    if connection.dialect.name == "postgresql":
        for name in sorted(deployments):
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock_shared(_SEALING, sa.func.hashtext(name))))


def keep_still(connection: Connection, deployment: str) -> None:
    """Waits until nobody writes open facts of a deployment, and lets nobody until the end of the transaction."""
    if connection.dialect.name == "postgresql":
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_SEALING, sa.func.hashtext(deployment))))
