"""Logged prompts put to the builds by the real worker: who answered what, and why not."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from monitor.model import Arm, Event, Missing, Output
from monitor.outcomes import Outcomes, reason
from monitor.plan import DeploymentRule, ShadowRule, VariantRule, seconds
from services.commands.options import clock
from services.doctor.arms import Opened
from services.doctor.result import Result, fail, ok, warn
from services.doctor.scratch import Scratch, scratch
from services.store import tables as t

_PATIENCE = 30.0
_NOBODY = "served"
"""The variant of prompts to which no served build can answer again."""
_WORDS = {Arm.DEPLOYED: "served build", Arm.REFERENCE: "reference", Arm.SECOND: "reference again"}


@dataclass(slots=True)
class Replayed:
    """The answers to some prompts, by event id and arm. `lacking` counts by arm and reason those without one."""

    events: Sequence[Event]
    outputs: dict[tuple[str, Arm], Output] = field(default_factory=dict)
    outcomes: dict[tuple[str, Arm], Outcomes] = field(default_factory=dict)
    lacking: dict[Arm, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    seconds: float = 0.0

    def both(self, one: Arm, other: Arm) -> list[tuple[Event, Output, Output]]:
        """The prompts that both arms answered."""
        return [
            (event, self.outputs[event.id, one], self.outputs[event.id, other])
            for event in self.events
            if (event.id, one) in self.outputs and (event.id, other) in self.outputs
        ]


def replay(
    name: str, rule: DeploymentRule, events: Sequence[Event], reference: Opened, served: Opened | None, base: Path
) -> Replayed:
    """Puts prompts to the reference, twice, and to the served build, as the shadow worker does it."""
    variant = _NOBODY if served is None else served.variant
    asked = [_as_new(event, number, variant) for number, event in enumerate(events)]
    known = {one.rule: one.build for one in (reference, served) if one is not None}
    with scratch(name, _all_sampled(rule, reference, served)) as store:
        store.take(asked)
        store.replay(base, known, max(_PATIENCE, 2 * max(seconds(arm.timeout) for arm in known)))
        return _read(store, asked)


def _as_new(event: Event, number: int, variant: str) -> Event:
    """The event as if it had come just now, a conversation of its own."""
    now = clock() / 1000
    return msgspec.structs.replace(
        event,
        variant=variant,
        time=now - 60 + number * 0.01,
        received_at=None,
        conversation=None,
        turn=None,
        action=None,
        reference=None,
        reference_score=None,
    )


def _all_sampled(rule: DeploymentRule, reference: Opened, served: Opened | None) -> DeploymentRule:
    variants = {reference.variant: rule.variants[reference.variant]}
    variants[_NOBODY] = VariantRule()
    if served is not None:
        variants[served.variant] = rule.variants[served.variant]
    shadow = ShadowRule(share=1.0, second_share=1.0, max_tokens=rule.shadow.max_tokens)
    return msgspec.structs.replace(rule, variants=variants, shadow=shadow)


def _read(store: Scratch, events: Sequence[Event]) -> Replayed:
    found = Replayed(events)
    texts = {(row.pair_id, row.part): row.body for row in store.rows(t.pair_text)}
    ids = {pair: msgspec.json.decode(body, type=_Named).id for (pair, part), body in texts.items() if part == "event"}
    details = [row.detail for row in store.rows(t.quarantine) if row.reason == "replay_failed"]
    for row in store.rows(t.arm):
        arm, outcomes = Arm(row.arm), msgspec.json.decode(row.outcomes, type=Outcomes)
        if arm is Arm.LOGGED:
            continue
        key = (ids[row.pair_id], arm)
        if (row.pair_id, row.arm) in texts:
            found.outputs[key] = msgspec.json.decode(texts[row.pair_id, row.arm], type=Output)
            found.outcomes[key] = outcomes
            found.seconds += row.seconds or 0.0
        else:
            found.lacking[arm][_why(outcomes, details)] += 1
    for row in store.rows(t.queue):
        for name in row.arms.split(","):
            if (ids[row.pair_id], Arm(name)) not in found.outputs:
                found.lacking[Arm(name)]["no answer in time"] += 1
    return found


class _Named(msgspec.Struct):
    id: str


def _why(outcomes: Outcomes, details: Sequence[str]) -> str:
    missing = Counter(reason(outcome) for outcome in outcomes.values()).most_common(1)
    if details and (not missing or missing[0][0] is Missing.NOT_REPLAYABLE):
        return details[0].removeprefix("engine_").replace("_", " ")
    return "longer than `shadow.max_tokens`" if missing[0][0] is Missing.NOT_OBSERVED else "the build refuses it"


def completeness(found: Replayed, wanted: Mapping[Arm, str]) -> Iterator[Result]:
    """Whether every arm answered; `wanted` names the variant of each."""
    total = len(found.events)
    for arm, variant in wanted.items():
        count = sum(1 for event in found.events if (event.id, arm) in found.outputs)
        why = ", ".join(f"{number} {reason}" for reason, number in found.lacking[arm].most_common(2))
        said = f"{variant} ({_WORDS[arm]}) answered {count} of {total} logged prompts" + (f": {why}" if why else "")
        if 2 * count < total:
            yield fail("replay", said, "mend that first: without answers there are no pairs")
        else:
            yield ok("replay", said) if count == total else warn("replay", said)
