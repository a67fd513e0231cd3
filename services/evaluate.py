"""The evaluator: seals what may be sealed, looks at every variant that has new facts, and writes the ledger.

One transaction per deployment holds the looks, the alerts that latch from them, and the outbox. Evaluators may run side
by side: each deployment is one's at a time, and what another has overtaken is not committed.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from monitor.assess import Past, advised, assess
from monitor.gate import CheckKey, Memory
from monitor.model import Decision, Verdict
from monitor.plan import Plan
from monitor.response.recommend import Candidate
from monitor.series import VariantFacts
from monitor.watch import Group, Watch, Watching
from monitor.watched import LiveKey
from services.errors import Unavailable
from services.ports import Clock
from services.store import alerts
from services.store import tables as t
from services.store.bulk import first_line, insert_new
from services.store.commit import writing
from services.store.epochs import keep_to_budget
from services.store.facts import FactReader, deployments
from services.store.restore import first_open
from services.store.sealing import seal
from services.store.turn import take_turn

_WAITS = 100


class Evaluator:
    """Looks at the sealed facts of all deployments; keeps what it has read, so that a look costs what is new."""

    def __init__(
        self,
        engine: Engine,
        plan: Plan,
        clock: Clock,
        destinations: Sequence[str] = (),
        watching: Watching = Watch,
    ) -> None:
        self.engine = engine
        self.plan = plan
        self.clock = clock
        self.destinations = tuple(destinations)
        self._watching = watching
        self._watches: dict[str, Watch] = {}
        self._readers: dict[str, FactReader] = {}
        self._memory = Memory()
        self._recorded = False
        self._worker = f"{socket.gethostname()}:{os.getpid()}"

    def look(self, *, as_of: float | None = None, everything: bool = False) -> list[Verdict]:
        """One round: seal, assess, append to the ledger. Returns the verdicts whose facts are new since the last look.

        `as_of` (seconds) reads only buckets that ended by then; `everything` seals all that is there first. Of a
        deployment that another evaluator is at, nothing is returned; with either of the two, it is waited for.
        `Unavailable` if the database does not answer or another evaluator came first: look again.
        """
        try:
            self._record_plan()
            with self.engine.connect() as connection:
                names = deployments(connection)
            known = [name for name in names if self.plan.deployment(name) is not None]
            return [verdict for name in known for verdict in self._deployment(name, as_of, everything)]
        except sa.exc.DBAPIError as error:
            self._readers.clear()
            raise Unavailable(f"the evaluation was broken off: {first_line(error.orig)}") from None

    def _deployment(self, name: str, as_of: float | None, everything: bool) -> list[Verdict]:
        if name not in self._watches:
            self._watches[name] = self._watching(name, self.plan, ())
        if name not in self._readers:
            self._readers[name] = FactReader(self._watches[name])
        now = self.clock()
        seal(self.engine, self._watches[name], now, everything=everything)
        for _ in range(1 if as_of is None and not everything else _WAITS):
            with take_turn(self.engine, name, self._worker, now) as connection:
                if connection is not None:
                    return self._looks(connection, name, as_of, now)
            time.sleep(0.1)
        return []

    def _looks(self, connection: Connection, name: str, as_of: float | None, clock: int) -> list[Verdict]:
        watch = self._watches[name]
        keep_to_budget(connection, watch, clock)
        cut = first_open(connection, Group.PAIR).get(name, 0)  # as it is in this turn: another may have sealed since
        if as_of is not None:
            cut = min(cut, int(as_of * 1000) // watch.width)
        now = cut * watch.width / 1000
        variants = self._readers[name].variants(connection, cut)
        candidates = self._candidates(connection, watch, variants)
        found, anew = list[Verdict](), set[str]()
        for facts in variants:
            seen = self._latest(connection, name, facts.variant, cut)
            last = None if seen is None else msgspec.json.decode(seen.verdict, type=Verdict)
            if last is None or (seen.cutoff < cut and facts.last >= seen.cutoff):
                found.append(self._assess(connection, watch, facts, variants, now, candidates, last))
                anew.add(facts.variant)
            else:
                found.append(last)
        decided = {verdict.variant: verdict.decision for verdict in found}
        candidates = [replace(c, last_decision=decided.get(c.variant, c.last_decision)) for c in candidates]
        verdicts = []
        for verdict in found:
            if verdict.variant in anew:  # what to do may hang on what this very look says of the other builds
                verdict = advised(watch, verdict, candidates)
                self._append(connection, verdict, cut, clock)
                verdicts.append(verdict)
            if as_of is None:  # a look at the past tells, and pages nobody
                alerts.apply(connection, verdict, clock, self.destinations, width_ms=watch.width)
        return verdicts

    def _latest(self, connection: Connection, name: str, variant: str, cut: int) -> Any:
        """The last look at a variant under this plan up to a cut-off, or None."""
        looks = sa.select(t.look.c.cutoff, t.look.c.verdict).where(
            t.look.c.deployment == name,
            t.look.c.variant == variant,
            t.look.c.plan == self.plan.digest,
            t.look.c.cutoff <= cut,
        )
        return connection.execute(looks.order_by(t.look.c.cutoff.desc()).limit(1)).one_or_none()

    def _assess(
        self,
        connection: Connection,
        watch: Watch,
        facts: VariantFacts,
        variants: Sequence[VariantFacts],
        now: float,
        candidates: Sequence[Candidate],
        last: Verdict | None,
    ) -> Verdict:
        others = [other for other in variants if other.variant != facts.variant]
        latched, beside = self._latched(connection, watch, facts.variant, now)
        past = Past(latched, candidates, "" if last is None else last.seal, beside)
        return assess(watch, facts, others, past, now, self._memory)

    def _latched(
        self, connection: Connection, watch: Watch, variant: str, now: float
    ) -> tuple[dict[CheckKey, float], set[LiveKey]]:
        """The checks that failed at any look before `now` under this plan, with the time of that look; and those that
        failed beside a control."""
        failed = sa.select(t.look.c.verdict).where(
            t.look.c.deployment == watch.name,
            t.look.c.variant == variant,
            t.look.c.plan == self.plan.digest,
            t.look.c.decision == str(Decision.FAIL),
            t.look.c.cutoff <= round(now * 1000 / watch.width),
        )
        latched: dict[CheckKey, float] = {}
        beside: set[LiveKey] = set()
        for body in connection.scalars(failed.order_by(t.look.c.cutoff)):
            verdict = msgspec.json.decode(body, type=Verdict)
            for check in verdict.checks:
                if check.decision is Decision.FAIL:
                    latched.setdefault((check.slice, check.signal, check.direction), verdict.as_of)  # type: ignore[arg-type]
            failing = [f for f in verdict.findings if f.kind == "fail" and f.against == "control"]
            beside |= {(f.slice, f.signal, f.direction) for f in failing}
        return latched, beside

    def _candidates(self, connection: Connection, watch: Watch, variants: Sequence[VariantFacts]) -> list[Candidate]:
        """The deployment's builds with their last verdicts, in order of first appearance."""
        served = [facts.variant for facts in variants]
        last_served = {facts.variant: (facts.last + 1) * watch.width / 1000 for facts in variants}
        names = [*served, *(name for name in watch.rule.variants if name not in served)]
        found = []
        for name in names:
            last = connection.scalar(
                sa.select(t.look.c.decision)
                .where(t.look.c.deployment == watch.name, t.look.c.variant == name)
                .order_by(t.look.c.cutoff.desc())
                .limit(1)
            )
            rule = watch.rule.variants.get(name)
            decision = None if last is None else Decision(last)
            cost = rule.cost if rule else 1.0
            served_at = last_served.get(name)
            found.append(Candidate(name, cost, decision, name == watch.rule.reference, served_at))
        return found

    def _append(self, connection: Connection, verdict: Verdict, cut: int, clock: int) -> None:
        row = {
            "deployment": verdict.deployment,
            "variant": verdict.variant,
            "cutoff": cut,
            "plan": verdict.plan,
            "decision": str(verdict.decision),
            "verdict": msgspec.json.encode(verdict).decode(),
            "at": clock,
        }
        connection.execute(sa.insert(t.look), row)

    def _record_plan(self) -> None:
        """Keeps the plan's text beside the looks that name its hash."""
        if self._recorded:
            return
        body = msgspec.json.encode(self.plan).decode()
        with writing(self.engine) as connection, connection.begin():
            insert_new(connection, t.plan, [{"digest": self.plan.digest, "body": body, "at": self.clock()}])
        self._recorded = True
