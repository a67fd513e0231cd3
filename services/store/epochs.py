"""The shadow's budget: a sampling probability moves by an epoch that takes effect at a bucket still to come."""

from __future__ import annotations

from collections import defaultdict

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from monitor.sampling import Epoch
from monitor.watch import Watch
from services.store import tables as t

_HOUR = 3_600_000
_SPAN = 600_000
_LEAST = 1 / 64


def read_epochs(connection: Connection) -> dict[str, list[Epoch]]:
    """All epochs by deployment, in the order in which they take effect."""
    found: dict[str, list[Epoch]] = defaultdict(list)
    for row in connection.execute(sa.select(t.epoch).order_by(t.epoch.c.bucket)):
        found[row.deployment].append(Epoch(row.bucket, row.factor))
    return dict(found)


def keep_to_budget(connection: Connection, watch: Watch, clock: int) -> Epoch | None:
    """Halves or doubles the deployment's sampling if the last ten minutes' pace does not fit the plan's `per_hour`.

    Looks at counts only, never at outcomes, and takes effect behind every event that may have been read by now, so
    the probabilities stay known before what they select. Part of the caller's transaction.
    """
    budget = watch.rule.shadow.per_hour
    if budget is None:
        return None
    epochs = read_epochs(connection).get(watch.name, [])
    ahead = clock + 2 * watch.lateness + watch.width
    if epochs and epochs[-1].bucket * watch.width > clock - _SPAN:
        return None
    factor = epochs[-1].factor if epochs else 1.0
    pace = _pairs_since(connection, watch, clock - _SPAN) * _HOUR / _SPAN
    wanted = factor / 2 if pace > budget else factor * 2 if pace * 2.5 < budget else factor
    wanted = min(1.0, max(_LEAST, wanted))
    if wanted == factor:
        return None
    epoch = Epoch(watch.bucket(ahead), wanted)
    connection.execute(sa.insert(t.epoch).values(deployment=watch.name, bucket=epoch.bucket, factor=epoch.factor))
    return epoch


def _pairs_since(connection: Connection, watch: Watch, since: int) -> int:
    where = (t.pair.c.deployment == watch.name, t.pair.c.bucket >= watch.bucket(since))
    return int(connection.scalar(sa.select(sa.func.count()).select_from(t.pair).where(*where)) or 0)
