"""What the store says of itself, in Prometheus' text format: numbers and names, never any text of a request.

All of it is read from the store, so that every process answers alike and none has to be asked for its part.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, Literal, get_args

import msgspec
import sqlalchemy as sa

from monitor.model import Decision
from monitor.response.alerts import State
from services.store import alert_rows, gaps, queries
from services.store import tables as t
from services.store.outbox import DEAD, PENDING
from services.store.seek import distinct

TEXT: Final = "text/plain; version=0.0.4; charset=utf-8"

Name = Literal[
    "source_lag_seconds",
    "source_position",
    "source_events_total",
    "source_duplicates_total",
    "source_quarantined_total",
    "gaps",
    "quarantined",
    "queue_units",
    "queue_age_seconds",
    "inbox_records",
    "evaluation_age_seconds",
    "evaluations_total",
    "units",
    "replayed_share",
    "excluded_share",
    "sealed_age_seconds",
    "verdict",
    "alerts_open",
    "outbox_pending",
    "outbox_age_seconds",
    "outbox_dead",
]

MEANING: Final[dict[Name, tuple[Literal["gauge", "counter"], str]]] = {
    "source_lag_seconds": ("gauge", "From the watermark of an open source to now; the lateness of the plan at rest."),
    "source_position": ("gauge", "How far a source was read: a byte, an offset, or a row of the inbox."),
    "source_events_total": ("counter", "Records of a source that were taken."),
    "source_duplicates_total": ("counter", "Records of a source that had been taken before."),
    "source_quarantined_total": ("counter", "Records of a source that could not be taken."),
    "gaps": ("gauge", "Stretches that a source no longer held when they were to be read."),
    "quarantined": ("gauge", "Records in quarantine, by reason."),
    "queue_units": ("gauge", "Sampled units that wait for their replays, or are being replayed."),
    "queue_age_seconds": ("gauge", "How long the oldest of them has waited."),
    "inbox_records": ("gauge", "Records that came over HTTP and are not taken yet."),
    "evaluation_age_seconds": ("gauge", "Since the last evaluation of a deployment."),
    "evaluations_total": ("counter", "Evaluations of a deployment."),
    "units": ("gauge", "Units behind a variant's latest verdict."),
    "replayed_share": ("gauge", "Share of these units that was replayed."),
    "excluded_share": ("gauge", "Share of the pairs that lacked an arm."),
    "sealed_age_seconds": ("gauge", "Since the end of what a variant's latest verdict has read."),
    "verdict": ("gauge", "1 for the decision of a variant's latest look, 0 for the others."),
    "alerts_open": ("gauge", "Alerts that are not resolved, by kind."),
    "outbox_pending": ("gauge", "Notifications still to be delivered."),
    "outbox_age_seconds": ("gauge", "How long the oldest of them has waited."),
    "outbox_dead": ("gauge", "Notifications that could not be delivered."),
}

_Sample = tuple[Name, dict[str, str], float]


class _Seen(msgspec.Struct):
    coverage: dict[str, float | None]
    sealed_until: float | None


def metrics(connection: sa.Connection, now: int) -> str:
    """All metrics at `now` (milliseconds), each with its type and meaning."""
    found: dict[Name, list[str]] = {name: [] for name in get_args(Name)}
    for part in (_sources, _inputs, _evaluations, _verdicts, _alerts):
        for name, labels, value in part(connection, now):
            found[name].append(f"quantwatch_{name}{_labels(labels)} {value:.15g}")
    return "".join(_block(name, lines) for name, lines in found.items() if lines)


def _block(name: Name, lines: list[str]) -> str:
    kind, meaning = MEANING[name]
    head = (f"# HELP quantwatch_{name} {meaning}", f"# TYPE quantwatch_{name} {kind}")
    return "\n".join((*head, *lines)) + "\n"


def _labels(labels: dict[str, str]) -> str:
    escaped = {k: v.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") for k, v in labels.items()}
    return "{" + ",".join(f'{name}="{value}"' for name, value in escaped.items()) + "}" if labels else ""


def _sources(connection: sa.Connection, now: int) -> Iterator[_Sample]:
    for row in connection.execute(sa.select(t.position).order_by(t.position.c.source)):
        of = {"source": row.source}
        if not row.closed and row.watermark:
            yield "source_lag_seconds", of, max(0, now - row.watermark) / 1000
        yield "source_position", of, row.next
        yield "source_events_total", of, row.accepted
        yield "source_duplicates_total", of, row.duplicates
        yield "source_quarantined_total", of, row.quarantined


def _inputs(connection: sa.Connection, now: int) -> Iterator[_Sample]:
    yield "gaps", {}, gaps.count(connection)
    by_reason, _ = queries.quarantined(connection, 0)
    for reason, number in by_reason.items():
        yield "quarantined", {"reason": reason}, number
    yield "queue_units", {}, queries.replays_waiting(connection)
    yield "queue_age_seconds", {}, _age(connection, t.queue, now)
    yield "inbox_records", {}, _count(connection, t.inbox)


def _evaluations(connection: sa.Connection, now: int) -> Iterator[_Sample]:
    for row in connection.execute(sa.select(t.evaluation).order_by(t.evaluation.c.deployment)):
        of = {"deployment": row.deployment}
        yield "evaluation_age_seconds", of, max(0, now - row.at) / 1000
        yield "evaluations_total", of, row.turn


def _verdicts(connection: sa.Connection, now: int) -> Iterator[_Sample]:
    for deployment in distinct(connection, t.look.c.deployment):
        for variant in distinct(connection, t.look.c.variant, t.look.c.deployment == deployment):
            look = queries.latest_look(connection, deployment, variant)
            if look is not None:
                yield from _verdict({"deployment": deployment, "variant": variant}, look, now)


def _verdict(of: dict[str, str], look: queries.Look, now: int) -> Iterator[_Sample]:
    seen = msgspec.json.decode(look.verdict, type=_Seen)
    for decision in Decision:
        yield "verdict", of | {"decision": str(decision)}, look.decision == decision
    for name in ("units", "replayed_share", "excluded_share"):
        value = seen.coverage.get(name)
        if value is not None:
            yield name, of, value
    if seen.sealed_until is not None:
        yield "sealed_age_seconds", of, max(0.0, now / 1000 - seen.sealed_until)


def _alerts(connection: sa.Connection, now: int) -> Iterator[_Sample]:
    resolved = alert_rows.in_state(State.RESOLVED)
    kinds = sa.select(t.alert.c.kind, sa.func.count()).where(~resolved).group_by(t.alert.c.kind)
    for kind, number in connection.execute(kinds.order_by(t.alert.c.kind)):
        yield "alerts_open", {"kind": kind}, number
    pending = t.outbox.c.state == PENDING
    yield "outbox_pending", {}, _count(connection, t.outbox, pending)
    yield "outbox_age_seconds", {}, _age(connection, t.outbox, now, pending)
    yield "outbox_dead", {}, _count(connection, t.outbox, t.outbox.c.state == DEAD)


def _count(connection: sa.Connection, table: sa.Table, *where: sa.ColumnElement[bool]) -> int:
    return connection.scalar(sa.select(sa.func.count()).select_from(table).where(*where)) or 0


def _age(connection: sa.Connection, table: sa.Table, now: int, *where: Any) -> float:
    oldest = connection.scalar(sa.select(sa.func.min(table.c.at)).where(*where))
    return 0.0 if oldest is None else max(0, now - oldest) / 1000
