"""From admitted units to sampled pairs: who is replayed, what is still wanted of it, and what came imported."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np
import xxhash
from numpy.typing import NDArray

from monitor.admit import Admitted
from monitor.model import Arm, Event, Missing
from monitor.outcomes import Outcomes, code
from monitor.pairs import Pair
from monitor.run import Sampled
from monitor.sampling import LEVEL
from monitor.watch import Group, Watch

_encode = msgspec.json.Encoder()


def sample(
    admitted: Admitted, buckets: Sequence[int], patterns: Sequence[int], units: NDArray[np.bool_]
) -> list[Sampled]:
    """The sampled units of a run, in log order: drawn ones, and every unit that brought its reference along."""
    watch = admitted.deployment.watch
    imported = [event.reference is not None for event in admitted.events]
    levels = _levels(watch, buckets, patterns)
    if not levels.any() and not any(imported):
        return []
    hashes = np.array(admitted.identities, dtype=np.uint64)
    drawn = units & watch.sampler.takes(hashes, levels) & (levels > 0)
    second = watch.sampler.takes_second(hashes)
    chosen = np.flatnonzero(units & (drawn | np.array(imported, dtype=bool))).tolist()
    sampled = []
    for i in chosen:
        event = admitted.events[i]
        if event.variant == watch.rule.reference:
            continue
        level = LEVEL if imported[i] else int(levels[i])
        pair = _pair(watch, event, admitted.identities[i], admitted.times[i], watch.slicer.mask(patterns[i]), level)
        wanted = _wanted(watch, event, second=bool(second[i]))
        if not wanted and not imported[i]:
            continue
        sampled.append(_sampled(watch, event, admitted.raws[i], pair, wanted))
    return sampled


def _levels(watch: Watch, buckets: Sequence[int], patterns: Sequence[int]) -> NDArray[np.int64]:
    if not watch.rule.reference:
        return np.zeros(len(buckets), dtype=np.int64)
    if watch.sampler.constant:
        return np.full(len(buckets), watch.sampler.level((), 0), dtype=np.int64)
    known: dict[tuple[int, int], int] = {}
    for key in set(zip(patterns, buckets, strict=True)):
        known[key] = watch.sampler.level(watch.slicer.members(key[0]).tolist(), key[1])
    return np.array([known[key] for key in zip(patterns, buckets, strict=True)], dtype=np.int64)


def _pair(watch: Watch, event: Event, identity: int, time: int, mask: bytes, level: int) -> Pair:
    arms: dict[Arm, Outcomes] = {Arm.LOGGED: watch.judge(event, event.output)}
    if event.reference is not None:
        arms[Arm.REFERENCE] = watch.judge(event, event.reference)
    return Pair(
        pair_id=f"{identity:016x}-{time}",
        deployment=watch.name,
        variant=event.variant,
        bucket=watch.bucket(time),
        mask=mask,
        level=level,
        event_hash=identity,
        prompt_hash=_prompt_hash(event, identity, watch.rule.seed),
        arms=arms,
    )


def _wanted(watch: Watch, event: Event, *, second: bool) -> tuple[Arm, ...]:
    """The arms that a shadow worker is to fill."""
    variants = watch.rule.variants
    wanted: list[Arm] = []
    own, reference = variants.get(event.variant), variants.get(watch.rule.reference or "")
    if own is not None and own.arm is not None:
        wanted.append(Arm.DEPLOYED)
    if event.reference is None and reference is not None and reference.arm is not None:
        wanted += [Arm.REFERENCE, Arm.SECOND] if second else [Arm.REFERENCE]
    return tuple(wanted)


def _sampled(watch: Watch, event: Event, raw: bytes, pair: Pair, wanted: tuple[Arm, ...]) -> Sampled:
    """What cannot be replayed is said at once: the arm gets its reason instead of a place in the queue."""
    keeps = watch.plan.text != "none"
    if wanted and (event.messages is None or not keeps):
        for arm in wanted:
            pair.arms[arm] = dict.fromkeys(watch.judge.signals, code(Missing.NOT_REPLAYABLE))
        wanted = ()
    if Arm.DEPLOYED not in wanted and Arm.DEPLOYED not in pair.arms:
        pair.arms[Arm.DEPLOYED] = dict.fromkeys(watch.judge.signals, code(Missing.NOT_OBSERVED))
    layout = watch.layouts[Group.PAIR].digest
    if not keeps:
        return Sampled(pair, layout, b"", wanted, b"", b"")
    reference = _encode.encode(event.reference) if event.reference is not None else b""
    return Sampled(pair, layout, raw, wanted, _encode.encode(event.output) if event.output else b"", reference)


def _prompt_hash(event: Event, identity: int, seed: int) -> int:
    """A keyed hash of the whole prompt; without messages every event is its own."""
    if event.messages is None:
        return identity
    return xxhash.xxh3_64_intdigest(_encode.encode(event.messages), seed)
