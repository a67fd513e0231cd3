"""The shadow queue: a table whose rows are leased, in the same store as the facts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from types import SimpleNamespace
from typing import Any, Generic, Protocol, TypeVar

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from monitor.model import Arm, Missing, Output
from monitor.outcomes import Outcomes, code
from services.errors import Unavailable
from services.store import tables as t
from services.store.bulk import first_line, insert_new
from services.store.commit import writing

Task = TypeVar("Task")

MAX_ATTEMPTS = 5
_DAY = 86_400_000


class Result(Protocol):
    """What the queue reads of one arm's result."""

    @property
    def pair_id(self) -> str: ...
    @property
    def arm(self) -> Arm: ...
    @property
    def outcomes(self) -> Mapping[str, int]: ...
    @property
    def output(self) -> Output | None: ...
    @property
    def missing(self) -> Missing | None: ...
    @property
    def fidelity(self) -> Any: ...
    @property
    def seconds(self) -> float: ...


class ShadowQueue(Generic[Task]):
    """The queue table as the shadow worker sees it. `make_task` builds the worker's own task from a row.

    `clock` is the store's clock in milliseconds; `keep` how long outputs are kept, None for not at all;
    `signals` the names that a missing arm is missing for; `again` makes the error that means: not now.
    """

    def __init__(
        self,
        engine: Engine,
        clock: Callable[[], int],
        keep: int | None,
        signals: Callable[[str], Iterable[str]],
        make_task: Callable[[Any], Task],
        again: Callable[[str], Exception] = Unavailable,
    ) -> None:
        self.engine = engine
        self.clock = clock
        self.keep = keep
        self.signals = signals
        self.make_task = make_task
        self.again = again

    def lease(self, limit: int, worker: str, seconds: float) -> list[Task]:
        """Takes up to `limit` tasks that nobody holds, oldest first, for `seconds`. Pairs that were sealed meanwhile
        are given up: no answer would count."""
        with self._transaction() as connection:
            now = self.clock()
            self._give_up(connection, now)
            free = sa.select(t.queue).where(t.queue.c.leased_until <= now).order_by(t.queue.c.at, t.queue.c.pair_id)
            rows = connection.execute(free.limit(limit).with_for_update(skip_locked=True)).all()
            ids = [row.pair_id for row in rows]
            held = {"worker": worker, "leased_until": now + int(seconds * 1000)}
            connection.execute(sa.update(t.queue).where(t.queue.c.pair_id.in_(ids)).values(held))
            filled = _filled(connection, ids)
        return [self.make_task(_still_wanted(row, filled.get(row.pair_id, set()))) for row in rows]

    def finish(self, results: Sequence[Result]) -> None:
        """Keeps the first result per (pair, arm); pairs with all their arms leave the queue. Idempotent."""
        with self._transaction() as connection:
            now = self.clock()
            wanted = _wanted(connection, {result.pair_id for result in results})
            kept = [result for result in results if result.pair_id in wanted]
            insert_new(connection, t.arm, [self._arm(r, wanted[r.pair_id][0], now) for r in kept])
            if self.keep is not None:
                insert_new(connection, t.pair_text, [_text(r, now + self.keep) for r in kept if r.output is not None])
            _leave(connection, {pair_id: arms for pair_id, (_, arms) in wanted.items()})

    def postpone(self, pair_ids: Sequence[str], seconds: float) -> None:
        """Gives tasks back without an attempt; nobody is given them for `seconds`."""
        with self._transaction() as connection:
            again = {"leased_until": self.clock() + int(seconds * 1000), "worker": None}
            connection.execute(sa.update(t.queue).where(t.queue.c.pair_id.in_(pair_ids)).values(again))

    def release(self, pair_ids: Sequence[str], reason: str) -> None:
        """Gives tasks back; after `MAX_ATTEMPTS` they go to quarantine, with the reason."""
        with self._transaction() as connection:
            now = self.clock()
            mine = sa.select(t.queue).where(t.queue.c.pair_id.in_(pair_ids)).order_by(t.queue.c.pair_id)
            rows = connection.execute(mine.with_for_update()).all()
            for row in rows:
                if row.attempts + 1 < MAX_ATTEMPTS:
                    again = {"attempts": row.attempts + 1, "leased_until": 0, "worker": None}
                    connection.execute(sa.update(t.queue).where(t.queue.c.pair_id == row.pair_id).values(again))
                else:
                    self._quarantine(connection, row, reason, now)

    @contextmanager
    def _transaction(self) -> Iterator[Connection]:
        """One transaction that writes, or the error that says to try again."""
        try:
            with writing(self.engine) as connection, connection.begin():
                yield connection
        except sa.exc.DBAPIError as error:
            raise self.again(f"the queue did not answer: {first_line(error.orig)}") from None

    def depth(self) -> int:
        """How many tasks wait or are held."""
        with self.engine.connect() as connection:
            return int(connection.scalar(sa.select(sa.func.count()).select_from(t.queue)) or 0)

    def _quarantine(self, connection: Connection, row: Any, reason: str, now: int) -> None:
        connection.execute(sa.delete(t.queue).where(t.queue.c.pair_id == row.pair_id))
        poison = {
            "source": "shadow",
            "position": now,
            "reason": "replay_failed",
            "detail": reason,
            "body": row.event if self.keep is not None else None,
            "at": now,
            "expires": now + (self.keep or 7 * _DAY),
        }
        connection.execute(sa.insert(t.quarantine).values(poison))
        insert_new(connection, t.arm, self._lost(row, Missing.NOT_REPLAYABLE, now))

    def _give_up(self, connection: Connection, now: int) -> None:
        """Takes tasks out whose pairs are sealed: facts counted their empty arms as timed out."""
        sealed = sa.select(t.pair.c.pair_id).where(t.pair.c.pair_id == t.queue.c.pair_id, t.pair.c.sealed.is_(True))
        late = t.queue.c.leased_until <= now, sealed.exists()
        rows = connection.execute(sa.select(t.queue).where(*late)).all()
        if rows:
            insert_new(connection, t.arm, [arm for row in rows for arm in self._lost(row, Missing.TIMED_OUT, now)])
            connection.execute(sa.delete(t.queue).where(*late))

    def _lost(self, row: Any, reason: Missing, now: int) -> list[dict[str, Any]]:
        """A task's arms as missing; those that are filled stay as they are."""
        missing = self._missing(row.deployment, reason)
        return [
            {"pair_id": row.pair_id, "arm": arm, "outcomes": missing, "fidelity": None, "seconds": None, "at": now}
            for arm in row.arms.split(",")
        ]

    def _arm(self, result: Result, deployment: str, now: int) -> dict[str, Any]:
        outcomes = (
            msgspec.json.encode(result.outcomes).decode()
            if result.missing is None
            else self._missing(deployment, result.missing)
        )
        return {
            "pair_id": result.pair_id,
            "arm": str(result.arm),
            "outcomes": outcomes,
            "fidelity": None if result.fidelity is None else msgspec.json.encode(asdict(result.fidelity)).decode(),
            "seconds": result.seconds,
            "at": now,
        }

    def _missing(self, deployment: str, reason: Missing) -> str:
        outcomes: Outcomes = dict.fromkeys(self.signals(deployment), code(reason))
        return msgspec.json.encode(outcomes).decode()


def _wanted(connection: Connection, pair_ids: Iterable[str]) -> dict[str, tuple[str, list[str]]]:
    rows = connection.execute(sa.select(t.queue).where(t.queue.c.pair_id.in_(sorted(pair_ids))))
    return {row.pair_id: (row.deployment, row.arms.split(",")) for row in rows}


def _filled(connection: Connection, pair_ids: Iterable[str]) -> dict[str, set[str]]:
    """The arms that have a result, by pair."""
    there: dict[str, set[str]] = {}
    for row in connection.execute(sa.select(t.arm.c.pair_id, t.arm.c.arm).where(t.arm.c.pair_id.in_(sorted(pair_ids)))):
        there.setdefault(row.pair_id, set()).add(row.arm)
    return there


def _still_wanted(row: Any, filled: set[str]) -> Any:
    """A task's row with the arms that nobody has filled yet."""
    arms = [arm for arm in row.arms.split(",") if arm not in filled]
    return SimpleNamespace(**row._asdict() | {"arms": ",".join(arms)})


def _leave(connection: Connection, wanted: Mapping[str, Sequence[str]]) -> None:
    """Removes the tasks whose wanted arms are all there."""
    there = _filled(connection, wanted)
    done = [pair_id for pair_id, arms in wanted.items() if set(arms) <= there.get(pair_id, set())]
    connection.execute(sa.delete(t.queue).where(t.queue.c.pair_id.in_(done)))


def _text(result: Result, expires: int) -> dict[str, Any]:
    body = msgspec.json.encode(result.output)
    return {"pair_id": result.pair_id, "part": str(result.arm), "body": body, "expires": expires}
