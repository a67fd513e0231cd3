"""What the shadow costs: replays, tokens and money a day, arm by arm, and how much of it its limits allow."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from monitor.forecast.traffic import Floats, Unit
from monitor.plan import ArmRule
from monitor.watch import Watch

MILLION = 1_000_000


@dataclass(frozen=True, slots=True)
class Load:
    """One arm's day. `cost` is None without a price; `allowed` is the share that the arm's daily limits leave."""

    arm: str
    replays: float
    prompt_tokens: float
    answer_tokens: float
    cost: float | None
    allowed: float


def loads(watch: Watch, units: Sequence[Unit], sampled: Floats, hours: float) -> Iterator[Load]:
    """The load of each arm by these units, sampled with these probabilities.

    Served builds count where they have an arm; one that is not among the units counts as if it served them all. A
    second replay of the reference is one more.
    """
    variants = watch.rule.variants
    times = np.array([unit.refusal is None for unit in units]) * sampled * 24.0 / hours
    needed = np.array([unit.reference is None for unit in units])
    reference = variants.get(watch.rule.reference or "")
    if reference is not None and reference.arm is not None:
        again = 1.0 + watch.rule.shadow.second_share
        yield _load(str(watch.rule.reference), reference.arm, units, times * needed * again)
    for name, rule in variants.items():
        if rule.arm is not None and name != watch.rule.reference:
            own = np.array([unit.variant == name for unit in units])
            yield _load(name, rule.arm, units, times * (own if own.any() else 1.0))


def _load(name: str, arm: ArmRule, units: Sequence[Unit], times: Floats) -> Load:
    asked = float(times @ np.array([unit.prompt_tokens for unit in units]))
    said = float(times @ np.array([unit.answer_tokens for unit in units]))
    price = arm.price_per_million
    cost = None if price is None else (asked * price.input + said * price.output) / MILLION
    limits = [
        limit / spent
        for limit, spent in ((arm.tokens_per_day, asked + said), (arm.money_per_day, cost))
        if limit is not None and spent
    ]
    return Load(name, float(times.sum()), asked, said, cost, min([1.0, *limits]))
