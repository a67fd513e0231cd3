"""What a sample of the log shows of the traffic: its units, and how many of them become pairs under a plan."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
import numpy as np
from numpy.typing import NDArray

from monitor.model import Arm, Event
from monitor.outcomes import Outcomes
from monitor.run import Sampled
from monitor.sampling import LEVEL, Epoch, Sampler
from monitor.watch import Watch
from monitor.wire import milliseconds

Floats = NDArray[np.float64]

CHARACTERS = 4
"""Characters a token, where the log does not count tokens: rough, and said to be."""
_HALVINGS = 6


@dataclass(frozen=True, slots=True)
class Unit:
    """One unit of the sample; `time` in milliseconds. `logged` are its outcomes.

    `again` are those of the same answer from another arm, missing where that could not be judged; `reference` those of
    a reference that the event brought along. `refusal` says why it cannot be replayed. `counted` tells whether the log
    counted its tokens.
    """

    variant: str
    time: int
    bucket: int
    mask: bytes
    prompt_hash: int
    refusal: str | None
    prompt_tokens: int
    answer_tokens: int
    counted: bool
    logged: Outcomes
    again: Outcomes
    reference: Outcomes | None


def unit_of(watch: Watch, sampled: Sampled, event: Event, refusal: str | None) -> Unit:
    """The unit of a sampled event; `refusal` is the caller's word on why it has no replay."""
    output = event.output
    copy = None if output is None else msgspec.structs.replace(output)  # judged as another arm's answer
    counted = event.prompt_tokens is not None and event.completion_tokens is not None
    asked = sum(len(message.content or "") for message in event.messages or ())
    said = 0 if output is None else len(output.text or "") + sum(len(call.arguments) for call in output.tool_calls)
    return Unit(
        variant=event.variant,
        time=milliseconds(event.time),
        bucket=sampled.pair.bucket,
        mask=sampled.pair.mask,
        prompt_hash=sampled.pair.prompt_hash,
        refusal=refusal,
        prompt_tokens=asked // CHARACTERS if event.prompt_tokens is None else event.prompt_tokens,
        answer_tokens=said // CHARACTERS if event.completion_tokens is None else event.completion_tokens,
        counted=counted,
        logged=sampled.pair.arms[Arm.LOGGED],
        again=watch.judge(event, copy),
        reference=sampled.pair.arms.get(Arm.REFERENCE),
    )


@dataclass(frozen=True, slots=True)
class Traffic:
    """The units of one variant, and over how many hours they came. `own` is false for a variant that the log does not
    have: it is taken to serve all that is in the log."""

    variant: str
    hours: float
    units: tuple[Unit, ...]
    own: bool = True


def traffic_of(variant: str, units: Sequence[Unit]) -> Traffic | None:
    """One variant's traffic in a sample; None where the sample is too short to tell a pace.

    The span goes from the first unit to the last: n units have n - 1 gaps, which is what the pace is made of.
    """
    own = tuple(unit for unit in units if unit.variant == variant)
    taken = own or tuple(units)
    times = [unit.time for unit in taken]
    if not taken or max(times) == min(times):
        return None
    span = (max(times) - min(times)) / 3_600_000
    return Traffic(variant, span * len(taken) / (len(taken) - 1), taken, bool(own))


def budgeted(watch: Watch, units: Sequence[Unit], hours: float) -> Sampler:
    """The plan's sampler as `per_hour` leaves it: shares halved until the pace of these units fits."""
    sampler = Sampler(watch.rule.shadow, watch.slicer.names, watch.rule.seed)
    budget = watch.rule.shadow.per_hour
    if budget is None or not hours:
        return sampler
    factor, pace = 1.0, float(shares(watch, sampler, units).sum()) / hours
    for _ in range(_HALVINGS):
        if pace * factor > budget:
            factor /= 2
    return Sampler(watch.rule.shadow, watch.slicer.names, watch.rule.seed, [Epoch(0, factor)])


def shares(watch: Watch, sampler: Sampler, units: Sequence[Unit]) -> Floats:
    """The probability with which each unit is sampled: 1 for one that brought its reference."""
    known: dict[bytes, float] = {}
    for mask in {unit.mask for unit in units}:
        members = watch.slicer.members(watch.slicer.intern(mask)).tolist()
        known[mask] = sampler.level(members, 0) / LEVEL
    return np.array([1.0 if unit.reference is not None else known[unit.mask] for unit in units])


def pairs_of(units: Sequence[Unit], sampled: Floats) -> Floats:
    """How many pairs each unit gives on average: of several copies of one prompt in a bucket only one counts."""
    copies = Counter((unit.bucket, unit.prompt_hash) for unit in units)
    size = np.array([copies[unit.bucket, unit.prompt_hash] for unit in units])
    return np.asarray((1.0 - (1.0 - sampled) ** size) / size)


def inside(watch: Watch, units: Sequence[Unit], name: str) -> NDArray[np.bool_]:
    """Which units belong to a slice."""
    index = watch.slicer.names.index(name)
    member = {
        mask: index in watch.slicer.members(watch.slicer.intern(mask)).tolist() for mask in {u.mask for u in units}
    }
    return np.array([member[unit.mask] for unit in units], dtype=np.bool_)
