"""Alerts and silences as rows: read into the values of `monitor.response`, and shown as JSON."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import sqlalchemy as sa

from monitor.model import Finding, Recommendation
from monitor.response.alerts import Alert, State, Transition, Word
from monitor.response.silences import Silence, muting
from services.store.tables import alert as alert_table
from services.store.tables import silence as silence_table
from services.store.tables import transition as transition_table

_WORDS = tuple(Word)


@dataclass(frozen=True, slots=True)
class StoredAlert:
    """An alert with the finding that opened it and what was recommended then."""

    alert: Alert
    finding: Finding
    recommendation: Recommendation


def read(
    connection: sa.Connection, *where: sa.ColumnElement[bool], limit: int = 1_000, lock: bool = False
) -> list[StoredAlert]:
    """Alerts with their transitions, newest first. `lock` keeps other writers of them waiting (PostgreSQL)."""
    query = sa.select(alert_table).where(*where).order_by(alert_table.c.opened_at.desc(), alert_table.c.id)
    query = query.limit(limit)
    rows = connection.execute(query.with_for_update() if lock else query).all()
    happened = _histories(connection, [row.id for row in rows])
    return [_stored(row, happened[row.id]) for row in rows]


def in_state(state: State) -> sa.ColumnElement[bool]:
    """The condition that an alert is in a state, for `read`."""

    def happened(word: Word) -> sa.Exists:
        row = transition_table.c
        return sa.exists().where(row.alert == alert_table.c.id, row.transition == str(word))

    if state is State.RESOLVED:
        return happened(Word.RESOLVED)
    acknowledged = happened(Word.ACKNOWLEDGED)
    return ~happened(Word.RESOLVED) & (acknowledged if state is State.ACKNOWLEDGED else ~acknowledged)


def of_variant(connection: sa.Connection, deployment: str, variant: str) -> list[StoredAlert]:
    """Every alert that a variant ever had, locked."""
    where = alert_table.c.deployment == deployment, alert_table.c.variant == variant
    return read(connection, *where, limit=100_000, lock=True)


def one(connection: sa.Connection, name: str) -> StoredAlert | None:
    """The alert of that id."""
    return next(iter(read(connection, alert_table.c.id == name)), None)


def silences(connection: sa.Connection, deployment: str | None = None) -> list[Silence]:
    """All silences, or those of a deployment, newest first."""
    query = sa.select(silence_table).order_by(silence_table.c.id.desc())
    if deployment is not None:
        query = query.where(silence_table.c.deployment == deployment)
    return [Silence(**row._mapping) for row in connection.execute(query)]


def add_silence(connection: sa.Connection, wanted: Silence) -> Silence:
    """Stores a silence and returns it with its id."""
    values = {name: getattr(wanted, name) for name in Silence.__dataclass_fields__ if name != "id"}
    key = connection.execute(silence_table.insert().values(**values)).inserted_primary_key
    return Silence(id=int(key[0]) if key else 0, **values)


def as_json(stored: StoredAlert, known: Sequence[Silence], now_ms: int) -> dict[str, Any]:
    """An alert for the API and for notifications: numbers, names and times in seconds; no text of any request."""
    alert, finding = stored.alert, stored.finding
    return {
        "id": alert.id,
        "state": str(alert.state),
        "kind": alert.kind,
        "deployment": alert.deployment,
        "variant": alert.variant,
        "slice": alert.slice,
        "signal": alert.signal,
        "direction": alert.direction,
        "opened_at": _time(alert, Word.OPENED),
        "acknowledged_at": _time(alert, Word.ACKNOWLEDGED),
        "resolved_at": _time(alert, Word.RESOLVED),
        "silenced": alert.state is not State.RESOLVED and muting(known, alert, now_ms) is not None,
        "against": finding.against,
        "sentence": finding.sentence,
        "since": finding.since,
        "harm": msgspec.to_builtins(finding.harm),
        "units": finding.units,
        "log_evidence": finding.log_evidence,
        "threshold": finding.threshold,
        "blame": msgspec.to_builtins(finding.blame),
        "recommendation": msgspec.to_builtins(stored.recommendation),
    }


def _time(alert: Alert, word: Word) -> float | None:
    transition = alert.find(word)
    return transition.at / 1000 if transition else None


def _histories(connection: sa.Connection, names: Iterable[str]) -> dict[str, list[Transition]]:
    found: dict[str, list[Transition]] = defaultdict(list)
    wanted = list(names)
    for start in range(0, len(wanted), 500):
        query = sa.select(transition_table).where(transition_table.c.alert.in_(wanted[start : start + 500]))
        for row in connection.execute(query):
            found[row.alert].append(Transition(row.alert, Word(row.transition), row.at, row.by, row.reason))
    return found


def _stored(row: sa.Row[Any], happened: list[Transition]) -> StoredAlert:
    finding = msgspec.json.decode(row.finding, type=Finding)
    ordered = sorted(happened, key=lambda t: (t.at, _WORDS.index(t.word)))
    alert = Alert(
        row.id, row.kind, row.deployment, row.variant, finding.slice, finding.signal, finding.direction, tuple(ordered)
    )
    return StoredAlert(alert, finding, msgspec.json.decode(row.recommendation, type=Recommendation))
