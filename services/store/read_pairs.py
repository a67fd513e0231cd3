"""Pairs for people: outputs side by side with their outcomes, and the prompt where its text is kept."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
import sqlalchemy as sa

from monitor.model import Arm, Message, Output, ToolCall
from monitor.outcomes import reason
from monitor.pairs import VALUES
from services.store.read_series import Layouts
from services.store.tables import arm, pair, pair_text

_CHUNK = 200
_SCANNED = 10_000
_TOP = 65_535
_WORDS = {"refusal": ("answered", "refused")}
_COMPARED = (Arm.LOGGED, Arm.DEPLOYED, Arm.REFERENCE)

Outcomes = dict[str, int]
Row = dict[str, Any]


class _Event(msgspec.Struct):
    messages: tuple[Message, ...] | None = None
    output: Output | None = None
    reference: Output | None = None


class _Fidelity(msgspec.Struct):
    mean_kl: float | None = None
    same_top: float | None = None
    first_divergence: int | None = None


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which pairs. Of `signal` the arms differ if two of logged, deployed and reference have unequal outcomes."""

    deployment: str
    variant: str | None = None
    slice: str | None = None
    signal: str | None = None
    differing: bool = False


@dataclass(slots=True)
class _Found:
    row: Any
    slices: list[str]
    outcomes: dict[str, Outcomes]
    fidelity: str | None = None


def read_pairs(
    connection: sa.Connection, layouts: Layouts, wanted: Wanted, limit: int, now_ms: int, width_ms: int
) -> list[Row]:
    """The newest pairs that are wanted, as JSON values; looks through the latest 10,000 at most."""
    found: list[_Found] = []
    for chunk in _chunks(connection, wanted):
        found += _chosen(connection, layouts, wanted, chunk)
        if len(found) >= limit:
            break
    found = found[:limit]
    texts = _texts(connection, [each.row.pair_id for each in found], now_ms)
    return [_as_json(each, texts[each.row.pair_id], width_ms) for each in found]


def _chunks(connection: sa.Connection, wanted: Wanted) -> Iterator[Sequence[Any]]:
    where = [pair.c.deployment == wanted.deployment]
    where += [pair.c.variant == wanted.variant] if wanted.variant is not None else []
    query = sa.select(pair.c.pair_id, pair.c.bucket, pair.c.mask, pair.c.layout).where(*where)
    query = query.order_by(pair.c.bucket.desc(), pair.c.pair_id)
    for offset in range(0, _SCANNED, _CHUNK):
        rows = connection.execute(query.limit(_CHUNK).offset(offset)).all()
        yield rows
        if len(rows) < _CHUNK:
            return


def _chosen(connection: sa.Connection, layouts: Layouts, wanted: Wanted, rows: Sequence[Any]) -> Iterator[_Found]:
    inside = [_Found(row, _slices(connection, layouts, row), {}) for row in rows]
    inside = [each for each in inside if wanted.slice in (None, *each.slices)]
    by_id = {each.row.pair_id: each for each in inside}
    arms = sa.select(arm.c.pair_id, arm.c.arm, arm.c.outcomes, arm.c.fidelity).where(arm.c.pair_id.in_(list(by_id)))
    for pair_id, name, outcomes, fidelity in connection.execute(arms):
        by_id[pair_id].outcomes[name] = msgspec.json.decode(outcomes, type=Outcomes)
        if name == Arm.DEPLOYED:
            by_id[pair_id].fidelity = fidelity
    for each in inside:
        if not wanted.differing or _differ(each.outcomes, wanted.signal):
            yield each


def _slices(connection: sa.Connection, layouts: Layouts, row: Any) -> list[str]:
    layout = layouts.get(connection, row.layout)
    if layout is None:
        return []
    bits = np.unpackbits(np.frombuffer(row.mask, np.uint8), count=len(layout.slices))
    return [layout.slices[index][0] for index in np.flatnonzero(bits)]


def _differ(outcomes: Mapping[str, Outcomes], signal: str | None) -> bool:
    """Whether any two compared arms that have an outcome of the signal (or of any signal) disagree."""
    known = [outcomes[name] for name in _COMPARED if name in outcomes]
    signals = {signal} if signal is not None else {s for each in known for s in each}
    values = ({each[s] for each in known if each.get(s, -1) >= 0} for s in signals)
    return any(len(distinct) > 1 for distinct in values)


def _texts(connection: sa.Connection, pair_ids: Sequence[str], now_ms: int) -> dict[str, dict[str, bytes]]:
    found: dict[str, dict[str, bytes]] = defaultdict(dict)
    query = sa.select(pair_text.c.pair_id, pair_text.c.part, pair_text.c.body)
    query = query.where(pair_text.c.pair_id.in_(list(pair_ids)), pair_text.c.expires > now_ms)
    for pair_id, part, body in connection.execute(query):
        found[pair_id][part] = body
    return found


def _as_json(found: _Found, texts: Mapping[str, bytes], width_ms: int) -> Row:
    event = msgspec.json.decode(texts["event"], type=_Event) if "event" in texts else _Event()
    outputs = {Arm.LOGGED: event.output, Arm.REFERENCE: event.reference}
    outputs |= {a: msgspec.json.decode(texts[a], type=Output) for a in Arm if a in texts}
    messages = event.messages
    fidelity = msgspec.json.decode(found.fidelity, type=_Fidelity) if found.fidelity else None
    return {
        "id": found.row.pair_id,
        "time": found.row.bucket * width_ms / 1000,
        "slices": found.slices,
        "prompt": None if messages is None else [{"role": m.role, "content": m.content} for m in messages],
        **{str(a): _arm(outputs.get(a), found.outcomes.get(a)) for a in Arm},
        "fidelity": msgspec.to_builtins(fidelity),
        "text_kept": bool(texts),
    }


def _arm(output: Output | None, outcomes: Outcomes | None) -> Row | None:
    if output is None and outcomes is None:
        return None
    calls: tuple[ToolCall, ...] = output.tool_calls if output else ()
    return {
        "text": output.text if output else None,
        "tool_calls": [{"name": call.name, "arguments": call.arguments} for call in calls],
        "outcomes": {signal: _said(signal, outcome) for signal, outcome in (outcomes or {}).items()},
    }


def _said(signal: str, outcome: int) -> str | float:
    """An outcome in words: ok or bad, a value in [0, 1], or the reason why there is none."""
    missing = reason(outcome)
    if missing is not None:
        return str(missing)
    if signal in VALUES:
        return outcome / _TOP
    return _WORDS.get(signal, ("ok", "bad"))[outcome]
