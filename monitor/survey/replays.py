"""Which requests a build could be asked again, and why not the others, for a sample."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from monitor.model import Event
from monitor.plan import Plan
from monitor.replay import why_not


@dataclass(frozen=True, slots=True)
class Replays:
    """How many of some requests could be replayed, how many bring the reference's answer, and what stops the rest."""

    requests: int
    replayable: int
    imported: int
    reasons: dict[str, int]


def replays(events: Sequence[Event]) -> Replays:
    """The replayable share of some requests; a plan's sampling and arms play no part in it."""
    reasons = Counter(why_not(event) for event in events)
    replayable = reasons.pop(None, 0)
    imported = sum(event.reference is not None for event in events)
    return Replays(len(events), replayable, imported, {str(reason): n for reason, n in reasons.most_common()})


def stands_in_the_way(plan: Plan, events: Sequence[Event]) -> list[str]:
    """What keeps the plan from comparing anything with a reference, a sentence each; none where all is there."""
    said = []
    served = {event.deployment for event in events}
    for name in sorted(served):
        rule = plan.deployment(name)
        if rule is None:
            continue
        brought = any(event.reference is not None for event in events if event.deployment == name)
        known = rule.variants.get(rule.reference or "")
        if rule.reference is None and not brought:
            said.append(f"`{name}` has no reference in the plan: nothing is replayed, and every verdict is hold")
        elif rule.reference is not None and not brought and (known is None or known.arm is None):
            said.append(f"the reference of `{name}` has no arm in the plan: nothing is replayed")
    if plan.text == "none":
        said.append("the plan keeps no texts (`text: none`): nothing can be replayed")
    return said
