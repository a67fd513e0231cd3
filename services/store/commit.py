"""The one transaction that moves the world, behind its fence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from monitor.facts import Layout
from monitor.run import Batch, OpenJoin, Sampled
from monitor.watch import Group
from services.errors import FenceError, GapError
from services.gap import Gap, Reason
from services.keyed import Keyed
from services.store import tables as t
from services.store.bits import signed
from services.store.bulk import Row, insert, insert_new
from services.store.holding import keep_open
from services.store.inbox import delete_through


def writing(engine: Engine) -> Connection:
    """A connection whose transaction takes the write lock at its beginning."""
    return engine.connect().execution_options(writes=True)


def register(engine: Engine, source: str, incarnation: str) -> tuple[int, str]:
    """The position and mark of a source, made at 0 if it is new; `GapError` if it is another incarnation.

    From its registration on, a source holds up sealing until its watermark has passed.
    """
    with writing(engine) as connection, connection.begin():
        insert_new(connection, t.position, [new_position(source, incarnation, 0)])
        row = connection.execute(sa.select(t.position).where(t.position.c.source == source).with_for_update()).one()
        if row.incarnation != incarnation and row.next > 0:  # of which nothing was read may still get its beginning
            raise GapError(
                f"{source} is not the log that was read before (its beginning differs); give it another name",
                Gap(source, int(row.next), None, Reason.REPLACED),
            )
        opened = {"closed": False, "incarnation": incarnation}
        connection.execute(sa.update(t.position).where(t.position.c.source == source).values(opened))
        return int(row.next), str(row.mark)


def new_position(source: str, incarnation: str, begin: int) -> Row:
    """The row of a source that is read from `begin` on, and holds up sealing from now on."""
    return {"source": source, "incarnation": incarnation, "next": begin, "mark": "", "watermark": 0, "closed": False}


def close(engine: Engine, source: str) -> None:
    """Says that a source will bring nothing more for now, so that it holds up no sealing."""
    with writing(engine) as connection, connection.begin():
        connection.execute(sa.update(t.position).where(t.position.c.source == source).values(closed=True))


def commit(engine: Engine, batch: Batch, keep: int | None, now: int) -> None:
    """Commits everything in `batch`, or nothing: raises `FenceError` if the position is not where the run began.

    So it does if a bucket that the batch counts events in was sealed meanwhile.

    `keep` is how long texts are kept, in milliseconds; None keeps none.
    """
    with writing(engine) as connection, connection.begin():
        _fence(connection, batch)
        _refuse_sealed(connection, batch)
        insert_new(connection, t.layout, _new_layouts(connection, batch.layouts))
        insert(connection, t.delta, _deltas(batch))
        insert(connection, t.seen, [{"source": batch.source, "expires": e, "body": b} for e, b in batch.seen])
        insert(connection, t.tail, _tails(batch))
        _commit_joins(connection, batch)
        _commit_sampled(connection, batch.sampled, keep, now)
        insert(connection, t.quarantine, _quarantined(batch, keep, now))
        if batch.source == "inbox":
            delete_through(connection, batch.end - 1)


def _fence(connection: Connection, batch: Batch) -> None:
    moved = connection.execute(
        sa.update(t.position)
        .where(
            t.position.c.source == batch.source,
            t.position.c.incarnation == batch.incarnation,
            t.position.c.next == batch.start,
        )
        .values(
            next=batch.end,
            watermark=batch.watermark,
            mark=batch.mark,
            accepted=t.position.c.accepted + batch.accepted,
            duplicates=t.position.c.duplicates + batch.duplicates,
            quarantined=t.position.c.quarantined + len(batch.quarantine),
        )
    )
    if moved.rowcount != 1:
        raise FenceError(f"{batch.source} no longer stands at {batch.start}")


def _refuse_sealed(connection: Connection, batch: Batch) -> None:
    """Raises `FenceError` if a bucket was sealed since the run's events were admitted: read again, they are late."""
    live = [delta for delta in batch.deltas if delta.group is Group.LIVE]
    keep_open(connection, {delta.deployment for delta in batch.deltas} | {one.pair.deployment for one in batch.sampled})
    names = sorted({delta.deployment for delta in live})
    seals = sa.select(t.seal.c.deployment, t.seal.c.first_open)
    found = connection.execute(seals.where(t.seal.c.grp == str(Group.LIVE), t.seal.c.deployment.in_(names)))
    first_open = {row.deployment: row.first_open for row in found}
    if any(delta.bucket < first_open.get(delta.deployment, 0) for delta in live):
        raise FenceError(f"a bucket was sealed while {batch.source} was read")


def _new_layouts(connection: Connection, layouts: Mapping[str, Layout]) -> list[Row]:
    stored = set(connection.scalars(sa.select(t.layout.c.digest)))
    return [{"digest": d, "body": layout.encode()} for d, layout in layouts.items() if d not in stored]


def _deltas(batch: Batch) -> list[Row]:
    return [
        {
            "deployment": d.deployment,
            "grp": str(d.group),
            "bucket": d.bucket,
            "source": batch.source,
            "run_end": batch.end,
            "layout": d.layout,
            "body": d.body,
        }
        for d in batch.deltas
    ]


def _tails(batch: Batch) -> list[Row]:
    return [{"source": batch.source, "deployment": d, "expires": e, "body": b} for d, e, b in batch.tails]


def _commit_joins(connection: Connection, batch: Batch) -> None:
    if batch.joined:
        mine = t.open_join.c.deployment == sa.bindparam("of"), t.open_join.c.request == sa.bindparam("name")
        gone = [{"of": deployment, "name": signed(request)} for deployment, request in batch.joined]
        connection.execute(sa.delete(t.open_join).where(*mine), gone)
    insert_new(connection, t.open_join, [_join(join, batch.source) for join in batch.joins])


def _join(join: OpenJoin, source: str) -> Row:
    hashes = {"request": signed(join.request), "event_hash": signed(join.event_hash)}
    return asdict(join) | hashes | {"source": source}


def _commit_sampled(connection: Connection, sampled: Sequence[Sampled], keep: int | None, now: int) -> None:
    """The pairs, the arms that are known already, their texts, and their places in the shadow queue.

    One request that came by two sources, which know nothing of each other's ids, makes one pair: the first one's.
    """
    insert_new(connection, t.pair, [_pair(one) for one in sampled])
    insert_new(connection, t.arm, [row for one in sampled for row in _arms(one, now)])
    if keep is not None:
        insert_new(connection, t.pair_text, [row for one in sampled for row in _texts(one, now + keep)])
    insert_new(connection, t.queue, [_queued(one, now) for one in sampled if one.wanted])


def _pair(one: Sampled) -> Row:
    pair = one.pair
    return {
        "pair_id": pair.pair_id,
        "deployment": pair.deployment,
        "variant": pair.variant,
        "bucket": pair.bucket,
        "mask": pair.mask,
        "layout": one.layout,
        "level": pair.level,
        "event_hash": signed(pair.event_hash),
        "prompt_hash": signed(pair.prompt_hash),
        "sealed": False,
    }


def _arms(one: Sampled, now: int) -> list[Row]:
    return [
        {"pair_id": one.pair.pair_id, "arm": str(arm), "outcomes": msgspec.json.encode(found).decode(), "at": now}
        for arm, found in one.pair.arms.items()
    ]


def _texts(one: Sampled, expires: int) -> list[Row]:
    parts = {"event": one.event, "logged": one.logged_text, "reference": one.reference_text}
    return [
        {"pair_id": one.pair.pair_id, "part": part, "body": body, "expires": expires}
        for part, body in parts.items()
        if body
    ]


def _queued(one: Sampled, now: int) -> Row:
    pair = one.pair
    return {
        "pair_id": pair.pair_id,
        "deployment": pair.deployment,
        "variant": pair.variant,
        "event": one.event,
        "arms": ",".join(one.wanted),
        "attempts": 0,
        "leased_until": 0,
        "at": now,
    }


def _quarantined(batch: Batch, keep: int | None, now: int) -> list[Row]:
    return [
        {
            "source": batch.source,
            "position": q.position,
            "reason": q.reason,
            "detail": q.detail.replace("\0", ""),
            "body": q.body if keep is not None else None,
            "at": now,
            "expires": now + (keep or 7 * 86_400_000),
            "key": q.key if isinstance(q, Keyed) and keep is not None else None,
        }
        for q in batch.quarantine
    ]
