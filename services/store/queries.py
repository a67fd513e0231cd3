"""Read-only questions about sealed facts, looks and quarantine. Everything here runs on a reader's connection."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from monitor.facts import unpack_counts
from monitor.pairs import REASONS
from services.store.seek import Key, Run, distinct, runs
from services.store.tables import alert, fact, look, open_join, pair, quarantine, queue, seal


def deployments(connection: sa.Connection) -> list[str]:
    """Every deployment of which anything was sealed, looked at or alerted about."""
    return sorted({name for table in (seal, look, alert) for name in distinct(connection, table.c.deployment)})


def sealed_bucket(connection: sa.Connection, deployment: str) -> int | None:
    """The first bucket of a deployment's live facts that is still open; None if nothing was sealed yet."""
    query = sa.select(seal.c.first_open).where(seal.c.deployment == deployment, seal.c.grp == "live")
    return connection.scalar(query)


def variants(connection: sa.Connection, deployment: str) -> list[str]:
    """The variants with sealed facts: one index seek each, however many facts there are."""
    return list(distinct(connection, fact.c.variant, fact.c.deployment == deployment))


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
    return list(distinct(connection, look.c.deployment, look.c.variant == variant))


def quarantined(connection: sa.Connection, limit: int) -> tuple[dict[str, int], list[Any]]:
    """How many records each reason has, and the newest rows (source, position, reason, at), without their bodies."""
    counts = sa.select(quarantine.c.reason, sa.func.count()).group_by(quarantine.c.reason)
    by_reason: dict[str, int] = dict(connection.execute(counts).all())
    columns = quarantine.c.source, quarantine.c.position, quarantine.c.reason, quarantine.c.at
    newest = sa.select(*columns).order_by(quarantine.c.id.desc()).limit(limit)
    return dict(sorted(by_reason.items())), list(connection.execute(newest))


def replays_waiting(connection: sa.Connection) -> int:
    """How many sampled units wait for their replays, or are being replayed; answers to sealed ones would not count."""
    mine = sa.select(sa.func.count()).select_from(queue).join(pair, pair.c.pair_id == queue.c.pair_id)
    return connection.scalar(mine.where(pair.c.sealed.is_(False))) or 0


def replays_failed(connection: sa.Connection) -> int:
    """How many units were tried too often and are in quarantine now."""
    failed = sa.select(sa.func.count()).select_from(quarantine).where(quarantine.c.reason == "replay_failed")
    return connection.scalar(failed) or 0


def coverage(connection: sa.Connection, deployment: str, variant: str) -> dict[str, Any]:
    """What waits and what is done, in counts: pairs, of these sealed, replays queued, joins open; and by arm and
    reason, the arms that sealed pairs lack."""

    def count(table: sa.Table, *where: sa.ColumnElement[bool]) -> int:
        mine = table.c.deployment == deployment, table.c.variant == variant
        return connection.scalar(sa.select(sa.func.count()).select_from(table).where(*mine, *where)) or 0

    return {
        "pairs": count(pair),
        "sealed_pairs": count(pair, pair.c.sealed.is_(True)),
        "queued": count(queue),
        "open_joins": count(open_join),
        "missing": _missing(connection, deployment, variant),
    }


def _missing(connection: sa.Connection, deployment: str, variant: str) -> dict[str, dict[str, int]]:
    """How many sealed pairs lack an arm, by reason. Every signal counts a missing arm alike; one always applies."""
    found: dict[str, dict[str, int]] = {}
    for run in runs(connection, Key(deployment, variant, "all", "refusal", "pair")):
        for body in connection.scalars(sa.select(fact.c.counts).where(*run.where)):
            reasons = unpack_counts(body)[-len(REASONS) :]
            for name, pairs in zip(REASONS, reasons.tolist(), strict=True):
                arm, _, reason = name.partition(":")
                if pairs:
                    found.setdefault(arm, {})[reason] = found.get(arm, {}).get(reason, 0) + pairs
    return found


def _traffic(connection: sa.Connection, deployment: str, variant: str, population: str) -> list[Run]:
    return runs(connection, Key(deployment, variant, "all", "traffic", population))


def _spans(connection: sa.Connection, deployment: str, population: str) -> dict[str, tuple[int, int]]:
    found = {name: _traffic(connection, deployment, name, population) for name in variants(connection, deployment)}
    return {name: (min(r.first for r in of), max(r.last for r in of)) for name, of in found.items() if of}


def _starts(
    connection: sa.Connection, deployment: str, variant: str, gap: int, limit: int
) -> list[tuple[int, int | None]]:
    """(bucket, the one before it with requests) wherever more than `gap` lies between them, newest first."""
    found: list[tuple[int, int | None]] = []
    before: int | None = None
    for run in sorted(_traffic(connection, deployment, variant, "all"), key=lambda run: run.first):
        if before is None or run.first - before > gap:
            found.append((run.first, before))
        previous = sa.func.lag(fact.c.bucket).over(order_by=fact.c.bucket)
        steps = sa.select(fact.c.bucket, previous.label("previous")).where(*run.where).subquery()
        far = sa.select(steps).where(steps.c.bucket - steps.c.previous > gap)
        found += [(bucket, last) for bucket, last in connection.execute(far)]
        before = max(run.last, before or run.last)
    return sorted(found, reverse=True, key=lambda row: row[0])[:limit]


def _others_between(connection: sa.Connection, deployment: str, variant: str, first: int, last: int) -> bool:
    inside = fact.c.bucket > first, fact.c.bucket < last
    others = [name for name in variants(connection, deployment) if name != variant]
    return any(
        connection.scalar(sa.select(fact.c.bucket).where(*run.where, *inside).limit(1)) is not None
        for name in others
        for run in _traffic(connection, deployment, name, "all")
    )
