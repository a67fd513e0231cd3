"""From admitted units to sampled pairs: who is replayed, what is still wanted of it, and what came imported."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

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


@dataclass(frozen=True, slots=True)
class Candidate:
    """A request that is replayed if it is a unit. `row` is its place in the run; `level` is in millionths."""

    row: int
    event: Event
    raw: bytes
    time: int
    identity: int
    mask: bytes
    level: int
    second: bool


def candidates(admitted: Admitted, rows: int, buckets: Sequence[int], patterns: Sequence[int]) -> list[Candidate]:
    """Those of the next requests, the first of which is row `rows`, that the sampler draws or that brought a reference.

    Whether a request is its conversation's unit is not known yet.
    """
    watch, hashes = admitted.deployment.watch, admitted.identities
    imported = [event.reference is not None for event in admitted.events]
    levels = _levels(watch, buckets, patterns)
    if levels is None:
        if not any(imported):
            return []
        levels = np.zeros(len(buckets), dtype=np.int64)
    drawn = watch.sampler.takes(hashes, levels) & (levels > 0)
    second = watch.sampler.takes_second(hashes)
    return [
        Candidate(
            row=rows + i,
            event=event,
            raw=admitted.raw(i),
            time=int(admitted.times[i]),
            identity=int(hashes[i]),
            mask=watch.slicer.mask(patterns[i]),
            level=LEVEL if imported[i] else int(levels[i]),
            second=bool(second[i]),
        )
        for i in np.flatnonzero(drawn | np.array(imported, dtype=bool)).tolist()
        if (event := admitted.events[i]).variant != watch.rule.reference
    ]


def sampled(watch: Watch, found: Sequence[Candidate], units: NDArray[np.bool_]) -> list[Sampled]:
    """The candidates that are units, in log order, with what is still wanted of them."""
    pairs = []
    for one in found:
        if not units[one.row]:
            continue
        wanted = _wanted(watch, one.event, second=one.second)
        if wanted or one.event.reference is not None:
            pairs.append(_sampled(watch, one.event, one.raw, _pair(watch, one), wanted))
    return pairs


def _levels(watch: Watch, buckets: Sequence[int], patterns: Sequence[int]) -> NDArray[np.int64] | None:
    """The inclusion levels; None where nothing is drawn."""
    if not watch.rule.reference:
        return None
    if watch.sampler.constant:
        level = watch.sampler.level((), 0)
        return np.full(len(buckets), level, dtype=np.int64) if level else None
    known: dict[tuple[int, int], int] = {}
    for key in set(zip(patterns, buckets, strict=True)):
        known[key] = watch.sampler.level(watch.slicer.members(key[0]).tolist(), key[1])
    return np.array([known[key] for key in zip(patterns, buckets, strict=True)], dtype=np.int64)


def _pair(watch: Watch, one: Candidate) -> Pair:
    event = one.event
    arms: dict[Arm, Outcomes] = {Arm.LOGGED: watch.judge(event, event.output)}
    if event.reference is not None:
        arms[Arm.REFERENCE] = watch.judge(event, event.reference)
    return Pair(
        pair_id=f"{one.identity:016x}-{one.time}",
        deployment=watch.name,
        variant=event.variant,
        bucket=watch.bucket(one.time),
        mask=one.mask,
        level=one.level,
        event_hash=one.identity,
        prompt_hash=_prompt_hash(event, one.identity, watch.rule.seed),
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
