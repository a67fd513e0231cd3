"""Read-only questions about sealed facts, looks and quarantine. Everything here runs on a reader's connection."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from services.store.tables import alert, fact, look, open_join, pair, quarantine, queue, seal

_traffic = (fact.c.slice == "all", fact.c.signal == "traffic")


def deployments(connection: sa.Connection) -> list[str]:
    """Every deployment of which anything was sealed, looked at or alerted about."""
    known = sa.union(*(sa.select(table.c.deployment) for table in (seal, look, alert)))
    return sorted(connection.scalars(known))


def sealed_bucket(connection: sa.Connection, deployment: str) -> int | None:
    """The first bucket of a deployment's live facts that is still open; None if nothing was sealed yet."""
    query = sa.select(seal.c.first_open).where(seal.c.deployment == deployment, seal.c.grp == "live")
    return connection.scalar(query)


def variants(connection: sa.Connection, deployment: str) -> list[str]:
    """The variants with sealed facts: one index seek each, however many facts there are."""
    return list(_distinct(connection, fact.c.variant, fact.c.deployment == deployment))


def last_served(connection: sa.Connection, deployment: str) -> dict[str, int]:
    """The last bucket in which each variant gave a unit."""
    return {name: last for name, (_, last) in _spans(connection, deployment, "unit").items()}


def served(connection: sa.Connection, deployment: str) -> dict[str, tuple[int, int]]:
    """The first and the last bucket in which each variant served any request."""
    return _spans(connection, deployment, "all")


def deploys(connection: sa.Connection, deployment: str, gap: int, limit: int = 20) -> list[tuple[str, int]]:
    """(variant, bucket) of the latest beginnings of service, in time's order.

    Service begins with the first request ever, and again after more than `gap` buckets in which only others served.
    """
    found = []
    for variant in variants(connection, deployment):
        for bucket, previous in _starts(connection, deployment, variant, gap, limit):
            if previous is None or _others_between(connection, deployment, variant, previous, bucket):
                found.append((variant, bucket))
    return sorted(found, key=lambda row: (row[1], row[0]))


@dataclass(frozen=True, slots=True)
class Look:
    """One row of the ledger: `cutoff` is the first bucket that was not read, `at` milliseconds, `verdict` JSON."""

    variant: str
    cutoff: int
    at: int
    decision: str
    verdict: str


def latest_look(connection: sa.Connection, deployment: str, variant: str, until: int | None = None) -> Look | None:
    """The newest look at a variant, or the newest whose cut-off is at or before bucket `until`."""
    found = looks(connection, deployment, variant, until=until, limit=1)
    return found[0] if found else None


def looks(
    connection: sa.Connection,
    deployment: str,
    variant: str,
    since: int | None = None,
    until: int | None = None,
    limit: int = 2_000,
) -> list[Look]:
    """Looks at a variant, newest first, with a cut-off from bucket `since` to bucket `until`."""
    query = sa.select(*(look.c[name] for name in Look.__dataclass_fields__))
    query = query.where(look.c.deployment == deployment, look.c.variant == variant)
    if since is not None:
        query = query.where(look.c.cutoff >= since)
    if until is not None:
        query = query.where(look.c.cutoff <= until)
    query = query.order_by(look.c.cutoff.desc(), look.c.id.desc()).limit(limit)
    return [Look(*row) for row in connection.execute(query)]


def deployments_of(connection: sa.Connection, variant: str) -> list[str]:
    """The deployments that looked at a variant of this name."""
    query = sa.select(look.c.deployment).where(look.c.variant == variant).distinct()
    return sorted(connection.scalars(query))


def quarantined(connection: sa.Connection, limit: int) -> tuple[dict[str, int], list[Any]]:
    """How many records each reason has, and the newest rows (source, position, reason, at), without their bodies."""
    counts = sa.select(quarantine.c.reason, sa.func.count()).group_by(quarantine.c.reason)
    by_reason: dict[str, int] = dict(connection.execute(counts).all())
    columns = quarantine.c.source, quarantine.c.position, quarantine.c.reason, quarantine.c.at
    newest = sa.select(*columns).order_by(quarantine.c.id.desc()).limit(limit)
    return dict(sorted(by_reason.items())), list(connection.execute(newest))


def coverage(connection: sa.Connection, deployment: str, variant: str) -> dict[str, int]:
    """What waits and what is done, in counts: pairs, of these sealed, replays queued, joins open."""

    def count(table: sa.Table, *where: sa.ColumnElement[bool]) -> int:
        mine = table.c.deployment == deployment, table.c.variant == variant
        return connection.scalar(sa.select(sa.func.count()).select_from(table).where(*mine, *where)) or 0

    return {
        "pairs": count(pair),
        "sealed_pairs": count(pair, pair.c.sealed.is_(True)),
        "queued": count(queue),
        "open_joins": count(open_join),
    }


def _distinct(
    connection: sa.Connection, column: sa.ColumnElement[Any], *where: sa.ColumnElement[bool]
) -> Iterator[str]:
    last = connection.scalar(sa.select(sa.func.min(column)).where(*where))
    while last is not None:
        yield last
        last = connection.scalar(sa.select(sa.func.min(column)).where(*where, column > last))


def _of(deployment: str, variant: str, population: str) -> tuple[sa.ColumnElement[bool], ...]:
    return (
        fact.c.deployment == deployment,
        fact.c.variant == variant,
        *_traffic,
        fact.c.population == population,
    )


def _spans(connection: sa.Connection, deployment: str, population: str) -> dict[str, tuple[int, int]]:
    found = {}
    ends = sa.func.min(fact.c.bucket), sa.func.max(fact.c.bucket)
    for variant in variants(connection, deployment):
        first, last = connection.execute(sa.select(*ends).where(*_of(deployment, variant, population))).one()
        if first is not None:
            found[variant] = (int(first), int(last))
    return found


def _starts(
    connection: sa.Connection, deployment: str, variant: str, gap: int, limit: int
) -> list[tuple[int, int | None]]:
    """(bucket, the one before it with requests) wherever more than `gap` lies between them, newest first."""
    buckets = sa.select(fact.c.bucket).where(*_of(deployment, variant, "all")).distinct().subquery()
    before = sa.func.lag(buckets.c.bucket).over(order_by=buckets.c.bucket)
    steps = sa.select(buckets.c.bucket, before.label("previous")).subquery()
    far = steps.c.previous.is_(None) | (steps.c.bucket - steps.c.previous > gap)
    query = sa.select(steps.c.bucket, steps.c.previous).where(far).order_by(steps.c.bucket.desc()).limit(limit)
    return [(int(bucket), previous) for bucket, previous in connection.execute(query)]


def _others_between(connection: sa.Connection, deployment: str, variant: str, first: int, last: int) -> bool:
    others = [name for name in variants(connection, deployment) if name != variant]
    inside = fact.c.bucket > first, fact.c.bucket < last
    return any(
        connection.scalar(sa.select(fact.c.bucket).where(*_of(deployment, name, "all"), *inside).limit(1)) is not None
        for name in others
    )
