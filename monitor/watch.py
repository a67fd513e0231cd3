"""A deployment's plan made ready to work: its slicer, its families in order, its layout, its sampler."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import StrEnum
from functools import cached_property
from itertools import repeat

import numpy as np
import xxhash
from numpy.typing import NDArray

from monitor.facts import Layout
from monitor.model import Definition, Event, Output
from monitor.outcomes import Judge
from monitor.pairs import VALUES, pair_definition
from monitor.plan import GATING, DeploymentRule, Plan, SignalRule, seconds
from monitor.sampling import Epoch, Sampler
from monitor.signals import correction
from monitor.signals.degeneration import Degeneration, length_value
from monitor.signals.family import Family, sealed
from monitor.signals.finish import Finish
from monitor.signals.latency import Latency
from monitor.signals.patterns import Patterns
from monitor.signals.refusal import Refusal
from monitor.signals.score import Score
from monitor.signals.structure import Structure
from monitor.signals.validators import Validators, registered
from monitor.slices import Slicer, matches

TRAFFIC = sealed(Definition(signal="traffic", family="traffic", cells=("requests",)))


class Group(StrEnum):
    """Facts that are sealed together, because their outcomes may come equally late."""

    LIVE = "live"
    CORRECTION = "correction"
    JOIN = "join"
    PAIR = "pair"


class Watch:
    """Everything that watching one deployment under one plan needs; holds no facts."""

    def __init__(self, name: str, plan: Plan, epochs: Sequence[Epoch] = (), refusal: Refusal | None = None) -> None:
        rule = plan.deployment(name)
        if rule is None:
            raise KeyError(name)
        self.name = name
        self.plan = plan
        self.rule: DeploymentRule = rule
        self.width = rule.width
        self.lateness = int(seconds(rule.lateness) * 1000)
        self.slicer = Slicer(rule.slices)
        self._prefixes = {kind: f"{name}\0{kind}\0".encode() for kind in ("request", "score", "feedback")}
        self.sampler = Sampler(rule.shadow, self.slicer.names, rule.seed, epochs)
        refusals = refusal or Refusal()
        scores = Score(lambda event, output: _refused(refusals, event, output), rule.seed, b"refusal")
        self.families: tuple[Family, ...] = (
            Structure(rule.schemas, matches),
            Patterns(rule.patterns, matches),
            refusals,
            Latency(),
            Degeneration(),
            Finish(),
            scores,
            Validators(tuple(map(registered, rule.validators))),
        )
        self.judge = Judge(self.families, {"score": scores.value, "length": lambda _, output: length_value(output)})
        joins = seconds(rule.joins.horizon)
        self.hindsight = {
            Group.CORRECTION: (correction.definition(seconds(rule.correction.horizon)), _loops(rule)),
            Group.JOIN: (
                sealed(Definition("feedback", "correction", ("open", "up", "down"), ("down",), horizon=joins)),
                sealed(Definition("late_score", "score", ("open", *(f"{k}/16" for k in range(17))), horizon=joins)),
            ),
        }

    @cached_property
    def live(self) -> tuple[Definition, ...]:
        """The definitions of one event's own signals, in the order of their columns."""
        return (*(d for family in self.families for d in family.definitions), TRAFFIC)

    @cached_property
    def layouts(self) -> dict[Group, Layout]:
        """The layout of each group of facts."""
        slices = tuple(zip(self.slicer.names, self.slicer.digests, strict=True))
        groups = {Group.LIVE: self.live, **self.hindsight, Group.PAIR: tuple(self.paired.values())}
        return {group: Layout(tuple(definitions), slices) for group, definitions in groups.items()}

    @cached_property
    def paired(self) -> dict[str, Definition]:
        """The pair definition of every paired signal."""
        base = {d.signal: d for d in self.live}
        return {s: pair_definition(base[s], value=s in VALUES) for s in self.judge.signals}

    @property
    def horizons(self) -> dict[Group, int]:
        """How long after a bucket's end, in milliseconds beyond lateness, outcomes may still come."""
        rule = self.rule
        return {
            Group.LIVE: 0,
            Group.CORRECTION: int(seconds(rule.correction.horizon) * 1000),
            Group.JOIN: int(seconds(rule.joins.horizon) * 1000),
            Group.PAIR: int(seconds(rule.shadow.horizon) * 1000),
        }

    def signal_rule(self, signal: str) -> SignalRule:
        """The plan's word on a signal, with whether it gates made definite."""
        given = self.rule.signals.get(signal, SignalRule())
        gates = given.gates if given.gates is not None else signal in GATING
        return SignalRule(tolerance=given.tolerance, gates=gates, rate=given.rate)

    @property
    def sees_turns(self) -> bool:
        """Whether the turns of a conversation come to one memory, so that one can be held against the one before."""
        return self.plan.input.keyed_by in ("conversation", "user")

    @property
    def sees_requests(self) -> bool:
        """Whether what comes later for a request comes to the memory that has it."""
        return self.plan.input.keyed_by != "none"

    def bucket(self, milliseconds: int) -> int:
        """The bucket of an event time."""
        return milliseconds // self.width

    def identity(self, kind: str, name: str) -> int:
        """The 64-bit name under which an id of this deployment is remembered."""
        return xxhash.xxh3_64_intdigest(self._prefixes[kind] + name.encode(), self.rule.seed)

    def identities(self, kind: str, names: Sequence[str]) -> NDArray[np.uint64]:
        """The same of many."""
        keys = map(self._prefixes[kind].__add__, map(str.encode, names))
        found = b"".join(map(xxhash.xxh3_64_digest, keys, repeat(self.rule.seed)))
        return np.frombuffer(found, dtype=">u8").astype(np.uint64)


def _refused(refusal: Refusal, event: Event, output: Output) -> bool | None:
    definition = refusal.definitions[0]
    cell = definition.cells[refusal.judge(event, output)[0]]
    return None if cell not in (*definition.yes, *definition.no) else cell in definition.yes


def _loops(rule: DeploymentRule) -> Definition:
    horizon = seconds(rule.correction.horizon)
    return sealed(
        Definition("correction_loop", "correction", ("served", "looped", "not_observed"), ("looped",), horizon=horizon),
        str(rule.correction.loop).encode(),
    )


Watching = Callable[[str, Plan, Sequence[Epoch]], Watch]
"""Makes a deployment's watch from its name, the plan and the sampling epochs."""
