"""Faults planted in the code, each of which a seed has to find: a simulation is worth what it would notice."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

import services.evaluate
import services.runtime
from monitor.run import Batch
from services.evaluate import Evaluator
from services.store import alerts, commit, outbox
from services.store import tables as t
from services.store.commit import writing

Plant = Callable[[pytest.MonkeyPatch], None]


def position_before_facts(patch: pytest.MonkeyPatch) -> None:
    """The position is committed, and the facts in another transaction after it."""
    fence, whole = commit._fence, commit.commit

    def torn(engine: Engine, batch: Batch, keep: int | None, now: int) -> None:
        with writing(engine) as connection, connection.begin():
            fence(connection, batch)
        whole(engine, batch, keep, now)

    patch.setattr(commit, "_fence", lambda *_: None)
    patch.setattr(services.runtime, "commit", torn)


def lost_fence(patch: pytest.MonkeyPatch) -> None:
    """Whoever commits moves the position, wherever it stands."""

    def moved(connection: Connection, batch: Batch) -> None:
        p = t.position.c
        sums = {name: p[name] + value for name, value in _sums(batch).items()}
        values = {"next": batch.end, "watermark": batch.watermark} | sums
        connection.execute(sa.update(t.position).where(p.source == batch.source).values(values))

    patch.setattr(commit, "_fence", moved)


def outbox_outside(patch: pytest.MonkeyPatch) -> None:
    """Notifications are written once the look's transaction has been committed, in one of their own."""
    put, look = outbox.put, Evaluator.look
    waiting: list[tuple[Any, ...]] = []

    def later(connection: Connection, *letter: Any) -> int:
        waiting.append(letter)
        return 1

    def looked(self: Evaluator, **given: Any) -> Any:
        mine = waiting[:]
        found = look(self, **given)
        new = [letter for letter in waiting if letter not in mine]
        waiting.clear()
        if new:
            with writing(self.engine) as connection, connection.begin():
                for letter in new:
                    put(connection, *letter)
        return found

    patch.setattr(alerts.outbox, "put", later)
    patch.setattr(Evaluator, "look", looked)


def paused_leader(patch: pytest.MonkeyPatch) -> None:
    """A look reads in its turn, and writes what it found later, whoever has the turn by then."""
    append, apply = Evaluator._append, alerts.apply

    @contextmanager
    def read_only(engine: Engine, *_: Any) -> Iterator[Connection]:
        with engine.connect() as connection, connection.begin():
            yield connection

    def append_later(self: Evaluator, _: Connection, *given: Any) -> None:
        with writing(self.engine) as connection, connection.begin():
            append(self, connection, *given)

    def apply_later(old: Connection, *given: Any, **named: Any) -> Any:
        with writing(old.engine) as connection, connection.begin():
            return apply(connection, *given, **named)

    patch.setattr(services.evaluate, "take_turn", read_only)
    patch.setattr(Evaluator, "_append", append_later)
    patch.setattr(alerts, "apply", apply_later)


FAULTS: Final[dict[str, Plant]] = {
    "the position is committed before the facts": position_before_facts,
    "the fence is lost": lost_fence,
    "the outbox is written outside the transaction": outbox_outside,
    "a paused leader writes": paused_leader,
}


@contextmanager
def planted(name: str) -> Iterator[None]:
    """The code with that fault, inside the block."""
    with pytest.MonkeyPatch.context() as patch:
        FAULTS[name](patch)
        yield


def _sums(batch: Batch) -> dict[str, int]:
    return {
        "accepted": batch.accepted,
        "duplicates": batch.duplicates,
        "quarantined": len(batch.quarantine),
    }
