"""Alerts move here, inside the caller's transaction: alert, transition and outbox rows together or not at all."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

import msgspec
import sqlalchemy as sa

from monitor.model import Verdict
from monitor.response.alerts import SYSTEM, Alert, Ruling, Transition, Word, edit
from monitor.response.react import over, react
from services.errors import FenceError
from services.store import alert_rows, outbox
from services.store.alert_rows import StoredAlert
from services.store.queries import last_served
from services.store.tables import alert as alert_table
from services.store.tables import transition as transition_table

QUIET_AFTER_MS: Final = 30 * 60 * 1000
"""How long other variants must have served without this one before it counts as taken out of service."""

_TOLD: Final = {Word.NOTIFIED: "opened", Word.ACKNOWLEDGED: "acknowledged", Word.CONCLUDED: "resolved"}


def apply(
    connection: sa.Connection,
    verdict: Verdict,
    now_ms: int,
    destinations: Sequence[str],
    *,
    width_ms: int | None = None,
    quiet_after_ms: int = QUIET_AFTER_MS,
) -> list[Transition]:
    """Moves the alerts of the verdict's variant, and returns what happened. The same verdict again moves nothing.

    `width_ms` is the deployment's bucket width. Without it the variant counts as serving, so that nothing is ever
    resolved because it was rolled back. Call it in a transaction that writes; it does not commit.
    """
    stored = {s.alert.id: s for s in alert_rows.of_variant(connection, verdict.deployment, verdict.variant)}
    if not stored and not verdict.findings:
        return []
    reaction = react(
        [s.alert for s in stored.values()],
        verdict.findings,
        alert_rows.silences(connection, verdict.deployment),
        now_ms,
        serving=width_ms is None or _serving(connection, verdict, quiet_after_ms // width_ms),
        fresh=not verdict.stale,
    )
    for name, finding in reaction.opened.items():
        stored[name] = StoredAlert(reaction.alerts[name], finding, verdict.recommendation)
        _insert(connection, stored[name], now_ms)
    after = [StoredAlert(a, stored[a.id].finding, stored[a.id].recommendation) for a in reaction.alerts.values()]
    before = {s.alert.id: () if s.alert.id in reaction.opened else s.alert.history for s in stored.values()}
    return [t for s in after for t in _record(connection, s, before[s.alert.id], destinations, now_ms)]


def act(connection: sa.Connection, name: str, word: Word, by: str, reason: str, now_ms: int) -> StoredAlert | Ruling:
    """What a person does to an alert: acknowledge or resolve it. Who was told of it is told of this."""
    before = alert_rows.one(connection, name)
    if before is None:
        return Ruling(False, "there is no such alert")
    family = alert_rows.of_variant(connection, before.alert.deployment, before.alert.variant)
    before = next(s for s in family if s.alert.id == name)
    after = edit(before.alert, word, now_ms, by, reason)
    if isinstance(after, Ruling):
        return after
    moved = {s.alert.id: after if s.alert.id == name else s.alert for s in family}
    moved |= _concluded(moved.values(), now_ms)
    for s in family:
        now = StoredAlert(moved[s.alert.id], s.finding, s.recommendation)
        _record(connection, now, s.alert.history, (), now_ms)
    return StoredAlert(moved[name], before.finding, before.recommendation)


def _concluded(alerts: Iterable[Alert], now_ms: int) -> dict[str, Alert]:
    ended = [edit(a, Word.CONCLUDED, now_ms, SYSTEM, "no alert of its group is open") for a in over(alerts)]
    return {a.id: a for a in ended if isinstance(a, Alert)}


def _serving(connection: sa.Connection, verdict: Verdict, quiet_buckets: int) -> bool:
    """Whether the variant gave units lately, by sealed facts. Where nobody serves, nothing counts as rolled back."""
    last = last_served(connection, verdict.deployment)
    if verdict.variant not in last:
        return True
    return max(last.values()) - last[verdict.variant] < max(1, quiet_buckets)


def _insert(connection: sa.Connection, stored: StoredAlert, now_ms: int) -> None:
    a = stored.alert
    values = {"id": a.id, "deployment": a.deployment, "variant": a.variant, "kind": a.kind, "opened_at": now_ms}
    finding, advice = msgspec.json.encode(stored.finding).decode(), msgspec.json.encode(stored.recommendation).decode()
    connection.execute(alert_table.insert().values(**values, finding=finding, recommendation=advice))


def _record(
    connection: sa.Connection,
    stored: StoredAlert,
    before: Sequence[Transition],
    destinations: Sequence[str],
    now_ms: int,
) -> list[Transition]:
    """Writes the transitions that `before` lacks, and the notifications that they bring."""
    new = list(stored.alert.history[len(before) :])
    if new:
        rows = [{"alert": t.alert, "transition": str(t.word), "at": t.at, "by": t.by, "reason": t.reason} for t in new]
        _check(connection, stored.alert.id, len(before), len(stored.alert.history))
        connection.execute(transition_table.insert(), rows)
    for transition in new:
        told = _TOLD.get(transition.word)
        if told is not None and stored.alert.find(Word.NOTIFIED) is not None:
            where = destinations if told == "opened" else outbox.told(connection, stored.alert.id)
            outbox.put(connection, stored.alert.id, told, where, _payload(stored, told, transition), now_ms)
    return new


def _check(connection: sa.Connection, name: str, known: int, then: int) -> None:
    """Raises `FenceError` unless the alert has the transitions that were read; says how many it has now."""
    same = alert_table.c.id == name, alert_table.c.version == known
    if connection.execute(alert_table.update().where(*same).values(version=then)).rowcount != 1:
        raise FenceError(f"alert {name} was changed by somebody else")


def _payload(stored: StoredAlert, told: str, transition: Transition) -> str:
    body = {
        "type": f"alert.{told}",
        "timestamp": transition.at / 1000,
        "by": transition.by,
        "data": alert_rows.as_json(stored, (), transition.at),
    }
    return msgspec.json.encode(body).decode()
