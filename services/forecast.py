"""Forecasting from a sample of the log: the real step reads it, as if everything in it were sampled."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

import msgspec
import numpy as np

from monitor.errors import Reject
from monitor.forecast.load import Load, loads
from monitor.forecast.outlook import Outlook, outlook
from monitor.forecast.traffic import Traffic, Unit, budgeted, shares, traffic_of, unit_of
from monitor.model import Event
from monitor.plan import ArmRule, DeploymentRule, Plan, ShadowRule, VariantRule
from monitor.replay import why_not
from monitor.run import Sampled
from monitor.state import State
from monitor.step import step
from monitor.watch import Watch
from monitor.wire import decode
from services.ports import Source

MOST_UNITS = 50_000
"""So many units of a deployment are looked at: more tell no more of its rates."""
_SEED = 20_231
_NOBODY = "\0nobody"
"""A reference that no request is served by, so that every request of the sample could be a pair."""


@dataclass(slots=True)
class Sample:
    """What was read of a log: units by deployment, and how many records were taken and refused, by reason."""

    units: dict[str, list[Unit]] = field(default_factory=lambda: defaultdict(list))
    accepted: int = 0
    refused: Counter[str] = field(default_factory=Counter)

    @property
    def enough(self) -> bool:
        """Whether every deployment that was seen has its units."""
        return bool(self.units) and all(len(units) >= MOST_UNITS for units in self.units.values())


@dataclass(frozen=True, slots=True)
class DeploymentForecast:
    """The forecast of one deployment's variants. `problem` says why there is none."""

    deployment: str
    variants: tuple[Outlook, ...] = ()
    loads: tuple[Load, ...] = ()
    guessed_tokens: bool = False
    arms: bool = True
    problem: str = ""


def read_sample(plan: Plan, sources: Sequence[Source]) -> Sample:
    """The units of a log, as ingestion would take them; nothing is stored."""
    sample, state = Sample(), State(_sampling_all(plan))
    watches = {name: Watch(name, plan) for name in plan.deployments}
    for source in sources:
        for run in source.runs(0):
            if sample.enough:
                return sample
            batch = step(state, run)
            sample.accepted += batch.accepted
            sample.refused.update(row.reason for row in batch.quarantine)
            for sampled in batch.sampled:
                units = sample.units[sampled.pair.deployment]
                if len(units) < MOST_UNITS:
                    units.append(_unit(watches[sampled.pair.deployment], sampled))
    return sample


def _sampling_all(plan: Plan) -> Plan:
    """The plan under which every unit is sampled, whoever served it, and texts are there to be read."""
    replace = msgspec.structs.replace
    deployments: dict[str, DeploymentRule] = {}
    for name, rule in plan.deployments.items():
        variants = {**rule.variants, _NOBODY: VariantRule(arm=ArmRule(backend="recorded"))}
        shadow = ShadowRule(share=1.0, second_share=0.0)
        deployments[name] = replace(rule, reference=_NOBODY, variants=variants, shadow=shadow)
    return replace(plan, deployments=deployments, text="7d")


def _unit(watch: Watch, sampled: Sampled) -> Unit:
    try:
        event = decode(sampled.event)
    except Reject:  # it was decoded once already
        raise AssertionError("a sampled event does not decode") from None
    assert isinstance(event, Event)
    refusal = "texts are not kept (`text: none`)" if watch.plan.text == "none" else why_not(event)
    return unit_of(watch, sampled, event, refusal)


def forecast(plan: Plan, sample: Sample, seed: int = _SEED) -> tuple[DeploymentForecast, ...]:
    """The forecast of every deployment in the plan; the same sample and seed, the same numbers."""
    return tuple(_deployment(Watch(name, plan), sample.units.get(name, []), seed) for name in plan.deployments)


def replays_per_hour(plan: Plan, name: str, sample: Sample) -> float:
    """How many replays an hour, all arms together, the plan's sampling asks for on the sample's traffic."""
    watch = Watch(name, plan)
    whole = _replayed(watch, sample.units.get(name, []))
    if whole is None:
        return 0.0
    sampled = shares(watch, budgeted(watch, whole.units, whole.hours), whole.units)
    return sum(load.replays for load in loads(watch, whole.units, sampled, whole.hours)) / 24.0


def _replayed(watch: Watch, units: Sequence[Unit]) -> Traffic | None:
    """The traffic that may be replayed: not the reference's own, unless there is no other."""
    return traffic_of("", [unit for unit in units if unit.variant != watch.rule.reference] or units)


def _deployment(watch: Watch, units: Sequence[Unit], seed: int) -> DeploymentForecast:
    reference = watch.rule.reference
    if reference is None:
        return DeploymentForecast(watch.name, problem="no `reference` in the plan, so no check can be decided")
    if not units:
        return DeploymentForecast(watch.name, problem="no unit of it in the log")
    served = sorted({unit.variant for unit in units} - {reference})
    names = [*served, *(name for name in watch.rule.variants if name not in (*served, reference))]
    if not names:
        return DeploymentForecast(watch.name, problem="no variant besides the reference, neither in plan nor in log")
    whole = _replayed(watch, units)
    found = [traffic for name in names if (traffic := traffic_of(name, units)) is not None]
    if whole is None or not found:
        return DeploymentForecast(watch.name, problem="the log is too short to tell a pace: one moment")
    sampler = budgeted(watch, whole.units, whole.hours)
    costs = tuple(loads(watch, whole.units, shares(watch, sampler, whole.units), whole.hours))
    answered = min((load.allowed for load in costs if load.arm == reference), default=1.0)
    return DeploymentForecast(
        watch.name,
        tuple(outlook(watch, each, sampler, answered, np.random.default_rng(seed)) for each in found),
        costs,
        guessed_tokens=any(not unit.counted for unit in whole.units),
        arms=watch.rule.variants[reference].arm is not None,
    )
