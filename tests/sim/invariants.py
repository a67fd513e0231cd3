"""What has to hold in every run, whatever went wrong in it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any, Final

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from monitor.model import Decision, Finding
from monitor.plan import seconds
from services.standing import Question, standing
from services.store import outbox
from services.store import tables as t
from services.store.positions import positions
from services.store.sealing import _newest
from tests.sim.log import MemoryLog
from tests.sim.traffic import BEGIN, PLAN
from tests.support.stores import Facts, sealed_facts

SHOP: Final = PLAN.deployments["shop"]
STALE: Final = 1.0 + sum(
    map(seconds, (SHOP.bucket, SHOP.lateness, SHOP.lateness, SHOP.shadow.horizon, SHOP.policy.stale_after))
)
"""A record that has waited for longer than this and is in no sealed fact makes every pass one on stale facts."""


@dataclass(frozen=True)
class Outcome:
    """What a run left: equal for all runs of one log. `alerts` are those that page, `totals` what each source held."""

    facts: Facts
    totals: list[tuple[Any, ...]]
    quarantined: list[tuple[Any, ...]]
    pairs: list[tuple[Any, ...]]
    alerts: list[tuple[str, ...]]


def outcome(engine: Engine) -> Outcome:
    """Everything that a disturbed run has to have in common with the one that was left alone."""
    p, q = t.position.c, t.quarantine.c
    with engine.connect() as connection:

        def rows(*columns: Any) -> list[tuple[Any, ...]]:
            return sorted((tuple(row) for row in connection.execute(sa.select(*columns))), key=repr)

        return Outcome(
            facts=sealed_facts(engine),
            totals=rows(p.source, p.next, p.accepted, p.duplicates, p.quarantined),
            quarantined=rows(q.source, q.position, q.reason),
            pairs=rows(*(c for c in t.pair.c if c.name != "at")),
            alerts=sorted(_paged(connection)),
        )


def broken(engine: Engine, got: Counter[str], alone: Outcome) -> list[str]:
    """The sentences that do not hold of a run that has ended."""
    now = outcome(engine)
    found = [
        f"{name} are not those of the undisturbed run"
        for name in Outcome.__dataclass_fields__
        if getattr(now, name) != getattr(alone, name)
    ]
    with engine.connect() as connection:
        return found + _told(connection, got) + _backwards(connection) + _twice(connection)


def stale_passes(connection: Connection, log: MemoryLog, now: float) -> list[str]:
    """Variants that a controller is told to let pass now, although what was logged long ago is in no sealed fact."""
    said = {v: standing(connection, PLAN, Question(v, "shop"), BEGIN + now)["decision"] for v in SHOP.variants}
    passing = sorted(variant for variant, decision in said.items() if decision == Decision.PASS)
    waits = now - _sealed_through(connection, log) if passing else 0.0
    return [f"{variant} passes on facts {waits:.0f} s old" for variant in passing if waits > STALE]


def settled(connection: Connection, log: MemoryLog) -> bool:
    """Whether all is read, sealed, looked at and delivered."""
    stands = positions(connection, "kafka:")
    if not stands or any(stand.next < log.end(*_place(stand.source)) for stand in stands):
        return False
    first_open = connection.scalar(sa.select(sa.func.min(t.seal.c.first_open)))
    waiting = sa.select(sa.func.count()).select_from(t.outbox).where(t.outbox.c.state == outbox.PENDING)
    if first_open != _newest(connection, "shop") + 1 or connection.scalar(waiting):
        return False
    looks = sa.select(t.look.c.variant, sa.func.max(t.look.c.cutoff)).group_by(t.look.c.variant)
    facts = sa.select(t.fact.c.variant, sa.func.max(t.fact.c.bucket)).group_by(t.fact.c.variant)
    seen = {row[0]: row[1] for row in connection.execute(looks)}
    return all(seen.get(variant, 0) > last for variant, last in connection.execute(facts))


def _sealed_through(connection: Connection, log: MemoryLog) -> float:
    """The arrival, in seconds of the run, before which everything that was logged has been taken."""
    stands = positions(connection, "kafka:")
    waiting = [log.fetch(*_place(stand.source), stand.next, 1) for stand in stands]
    stamps = [message.stamp / 1000 - BEGIN for messages in waiting for message in messages]
    return min(stamps, default=float("inf"))


def _place(source: str) -> tuple[str, int]:
    _, topic, number = source.rsplit("/", 2)
    return topic, int(number)


def _paged(connection: Connection) -> list[tuple[str, ...]]:
    """Alerts that fail a build, each as often as it was opened."""
    rows = connection.execute(sa.select(t.alert.c.kind, t.alert.c.variant, t.alert.c.finding))
    found = [(row, msgspec.json.decode(row.finding, type=Finding)) for row in rows if row.kind == "fail"]
    return [(row.variant, finding.slice, finding.signal, finding.direction) for row, finding in found]


def _told(connection: Connection, got: Counter[str]) -> list[str]:
    """Every alert that was to be told of was told, under one key, and nothing else was."""
    notified = sa.select(t.transition.c.alert, t.transition.c.transition)
    words = {"notified": "opened", "concluded": "resolved"}
    wanted = {f"{a}_{words[w]}" for a, w in connection.execute(notified) if w in words}
    missed = [f"nobody was told of {key}" for key in sorted(wanted - got.keys())]
    return missed + [f"somebody was told of {key}, which is not so" for key in sorted(got.keys() - wanted)]


def _backwards(connection: Connection) -> list[str]:
    """The ledger goes on only forwards: no look is written that knows less than the one before it."""
    last: dict[str, int] = {}
    found = []
    for row in connection.execute(sa.select(t.look.c.variant, t.look.c.cutoff).order_by(t.look.c.id)):
        if row.cutoff <= last.get(row.variant, -1):
            found.append(f"a look at {row.variant} up to {row.cutoff} was written after {last[row.variant]}")
        last[row.variant] = row.cutoff
    return found


def _twice(connection: Connection) -> list[str]:
    """No two open alerts say the same."""
    over = sa.select(t.transition.c.alert).where(t.transition.c.transition == "resolved")
    names = connection.scalars(sa.select(t.alert.c.id).where(t.alert.c.id.not_in(over)))
    counted = Counter(name.partition("-")[0] for name in names)
    return [f"{name} is open {count} times" for name, count in counted.items() if count > 1]
