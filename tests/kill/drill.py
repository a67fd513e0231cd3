"""One seeded run: all processes on a real broker and a real PostgreSQL, some of them killed; and what must come of it.

The seed draws the log, which kinds are killed, when, how many stream workers take over, and whether the processes'
clocks differ by an hour or two. What is promised:

* facts, what was set aside, pairs and replays are those of an undisturbed reading;
* as many events were taken, known already or refused: none lost, none counted twice;
* every alert that an undisturbed evaluator opens is open, once; every notification was accepted; what came again under
  a known key was word for word the same.
"""

from __future__ import annotations

import os
import random
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Engine

from monitor.plan import Plan
from services.bootstrap import shadow_worker
from services.evaluate import Evaluator
from services.runtime import Ingestion
from services.store import tables as t
from services.store.engine import open_engine
from services.stream.fetched import Message
from tests.kill.fleet import Fleet
from tests.kill.log import log_of, plan_in, write_plan
from tests.kill.receiver import SECRET, Receiver
from tests.kill.servers import Servers
from tests.support.partitions import source
from tests.support.processes import until
from tests.support.stores import ListSource, clock, everything_of, rows_of, store

PATIENCE: Final = 200.0
SESSION: Final = 3.0
_PROCESSES: Final = ("stream", "stream", "assess", "shadow", "dispatch")
_STARTED: Final = ("stream", "stream", "assess", "assess", "shadow", "dispatch")
_SERVERS: Final = ("broker", "database")
_PAGES: Final = ("fail", "change")
LOGS: Final = 4
"""So many logs are drawn; what comes of each undisturbed is found out once."""

Outcome = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Report:
    """What a run did: whom it killed, how often a process ended by itself while a server was away."""

    seed: int
    killed: Counter[str]
    restarts: int
    copies: int
    seconds: float


def run(servers: Servers, seed: int, folder: Path) -> Report:
    """One run; `AssertionError` with what was otherwise than promised."""
    os.environ["KILL_SECRET"] = SECRET
    began = time.monotonic()
    draw = random.Random(seed)
    receiver = Receiver(draw.choice((0.0, 0.05, 0.3)))
    drill = Drill(servers, draw, folder, receiver, log_of(seed % LOGS))
    try:
        drill.fill()
        drill.disturb()
        drill.wait()
        _hold_against(outcome(drill.engine, drill.plan), undisturbed(seed % LOGS))
        _told_once(receiver, drill.engine)
    except AssertionError as error:
        raise AssertionError(f"seed {seed}: {error}\n{drill.fleet.said[-3_000:]}") from None
    finally:
        drill.close()
    copies = sum(len(bodies) - 1 for bodies in receiver.told.values())
    return Report(seed, Counter(drill.fleet.killed), drill.restarts, copies, time.monotonic() - began)


class Drill:
    """The processes of one run and the hand that kills them."""

    def __init__(
        self, servers: Servers, draw: random.Random, folder: Path, receiver: Receiver, log: list[list[Message]]
    ) -> None:
        self._servers, self._draw, self._receiver, self._log = servers, draw, receiver, log
        self._file = write_plan(folder, receiver.url)
        self.plan = plan_in(folder)
        self._url = servers.database()
        self.engine = open_engine(self._url)
        self.fleet = Fleet(folder, draw.choice((5, 12, 40)))
        self._topic = servers.kafka.topic(len(log))
        self._size = sum(map(len, log))
        self._skewed = draw.random() < 0.5
        self._outage = False
        self.restarts = 0

    def fill(self) -> None:
        """The topic, and all processes: two stream workers, and an evaluator with its standby."""
        self._servers.kafka.fill(self._topic, self._log)
        for kind in _STARTED:
            self._start(kind)

    def disturb(self) -> None:
        """Three to five strikes, each once the position has moved on a little; at most one takes a server away."""
        strikes = [self._draw.choice(_PROCESSES) for _ in range(self._draw.randint(3, 5))]
        servers = [one for one in _SERVERS if one != "broker" or self._servers.kafka.broker is not None]
        if self._draw.random() < 0.5:
            strikes[self._draw.randrange(len(strikes))] = self._draw.choice(servers)
        share = self._size / (len(strikes) + 1)
        for number, kind in enumerate(strikes):
            wanted = share * (number + self._draw.random())
            self._until(f"offset {wanted:.0f} of {self._size}", lambda wanted=wanted: self._progress() >= wanted)
            time.sleep(self._draw.uniform(0, 0.3))
            self._strike(kind)

    def wait(self) -> None:
        """Until all was read, replayed, judged and told; who judges or tells may die while doing so."""
        self._until(f"all {self._size} offsets", lambda: self._progress() >= self._size)
        if self._draw.random() < 0.5:
            time.sleep(self._draw.uniform(0, 1.0))
            self._strike("assess")
        if self._draw.random() < 0.5:
            self._until("a notification", lambda: self._receiver.told)
            time.sleep(self._draw.uniform(0, 0.1))
            self._strike("dispatch")
        self._until("an empty queue", lambda: not rows_of(self.engine, t.queue))
        self._until("a look at the last pair", self._judged)
        self._until("an empty outbox", lambda: all(row.state == "delivered" for row in rows_of(self.engine, t.outbox)))
        self.fleet.close()

    def close(self) -> None:
        """Ends everything of this run."""
        self.fleet.close()
        self._receiver.close()
        self.engine.dispose()
        self._servers.drop(self._url)

    def _strike(self, kind: str) -> None:
        if kind in _SERVERS:
            self._take_away(kind)
            return
        self.fleet.kill(kind, self._draw.randrange(9))
        wanted = self._draw.randint(2, 4) if kind == "stream" else _STARTED.count(kind)
        while self.fleet.number(kind) > wanted:
            self.fleet.ask_to_end(kind, self._draw.randrange(9))
        while self.fleet.number(kind) < wanted:
            self._start(kind)

    def _take_away(self, server: str) -> None:
        """Kills a server; while it is away perhaps a process too; and brings it back."""
        self._outage = True
        kafka, broker = self._servers.kafka, self._servers.kafka.broker
        self.fleet.killed.append(server)
        if server == "broker" and broker is not None:
            broker.kill()
        else:
            self._servers.postgres.kill()
        time.sleep(self._draw.uniform(0, 1.0))
        kind = self._draw.choice(_PROCESSES)
        if orphaned := self._draw.random() < 0.5:
            self.fleet.kill(kind, self._draw.randrange(9))
        if server == "broker":
            kafka.start_again()
        else:
            self._servers.postgres.start()
        if orphaned:
            self._start(kind)

    def _start(self, kind: str) -> None:
        words = ["--plan", str(self._file), "--db", self._url]
        if kind == "stream":
            topic = ["--kafka", self._servers.kafka.bootstrap, "--requests", self._topic, "--group", self._topic]
            words += [*topic, "--session", str(SESSION)]
        if kind in ("assess", "dispatch"):
            words += ["--every", "0.2"]
        skew = self._draw.choice((-3_600.0, 0.0, 3_600.0)) if self._skewed else 0.0
        self.fleet.start(kind, words, skew)

    def _until(self, what: str, holds: Callable[[], Any]) -> None:
        """Waits for `what`, and starts again what ended by itself, as supervisors do; only an outage excuses that."""

        def looked() -> bool:
            for kind in self.fleet.take_ended():
                assert self._outage, f"a process of {kind} ended by itself"
                self.restarts += 1
                self._start(kind)
            return bool(holds())

        try:
            until(looked, PATIENCE)
        except AssertionError as error:
            raise AssertionError(f"{what}: {error}") from None

    def _progress(self) -> int:
        with self.engine.connect() as connection:
            return int(connection.scalar(sa.select(sa.func.sum(t.position.c.next))) or 0)

    def _judged(self) -> bool:
        """Whether the last recorded pair was sealed and looked at."""
        with self.engine.connect() as connection:
            last = connection.scalar(sa.select(sa.func.max(t.pair.c.bucket)).where(t.pair.c.deployment == "desk"))
            cut = connection.scalar(sa.select(sa.func.max(t.look.c.cutoff)).where(t.look.c.deployment == "desk"))
        return cut is not None and last is not None and cut > last


@cache
def undisturbed(number: int) -> Outcome:
    """What comes of a log whose partitions are read one by one, replayed by one worker and judged at the end."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        write_plan(folder, "http://127.0.0.1:1/")
        plan, engine = plan_in(folder), store(folder)
        for place, part in enumerate(log_of(number)):
            listed = ListSource(
                [message.value for message in part],
                name=source(place),
                arrivals=[message.stamp for message in part],
                drains=False,
            )
            Ingestion(engine, plan, clock, only=(source(place),)).read(listed)
        worker = shadow_worker(engine, plan, clock, folder, name="calm")
        while worker.run_once():
            pass
        found = outcome(engine, plan)
        engine.dispose()
        return found


def outcome(engine: Engine, plan: Plan) -> Outcome:
    """All that is promised to be equal, everything sealed."""
    Evaluator(engine, plan, clock, ("webhook:none",)).look(everything=True)
    found = dict(everything_of(engine))
    del found["open_join"]  # forgotten in time, which a run may see or not; what was joined is in the facts
    totals = [(row.accepted, row.duplicates, row.quarantined) for row in rows_of(engine, t.position)]
    found["position"] = [sum(column) for column in zip(*totals, strict=True)]
    found["quarantine"] = sorted((row.reason, row.detail, row.body) for row in rows_of(engine, t.quarantine))
    found["arm"] = sorted((row.pair_id, row.arm, row.outcomes, row.fidelity) for row in rows_of(engine, t.arm))
    pages = [row for row in rows_of(engine, t.alert) if row.kind in _PAGES]
    found["alert"] = sorted(row.id for row in pages)
    return found


def _hold_against(found: Outcome, expected: Outcome) -> None:
    for part, rows in expected.items():
        assert found[part] == rows, f"{part} differ: {_difference(found[part], rows)}"
    assert found["alert"], "the log is to bring an alert"


def _difference(found: Any, rows: Any) -> str:
    if isinstance(rows, dict):
        wrong = [key for key in rows.keys() | found.keys() if rows.get(key) != found.get(key)]
        return f"{len(wrong)} keys of {len(rows)}, such as {wrong[:2]}"
    more, less = [row for row in found if row not in rows], [row for row in rows if row not in found]
    return f"{len(more)} too many, {len(less)} missing; such as {(more + less)[:2]}"


def _told_once(receiver: Receiver, engine: Engine) -> None:
    sent = {f"{row.alert}_{row.transition}" for row in rows_of(engine, t.outbox) if row.destination != "webhook:none"}
    assert sent, "somebody is to be told"
    assert set(receiver.told) == sent, "what was accepted is what was to be told"
    for key, bodies in receiver.told.items():
        assert len(set(bodies)) == 1, f"{key} came in several wordings"
