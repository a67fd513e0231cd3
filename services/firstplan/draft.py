"""What a first plan is made of, deployment by deployment, as far as the log can say it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from monitor.model import Event
from monitor.plan import Plan, seconds
from monitor.survey.candidates import Candidate, ManyValued, candidates, many_valued
from monitor.survey.extract import Extract
from monitor.survey.replays import Replays, replays
from monitor.survey.running import Running, running
from monitor.survey.spacing import Spacing, bucket, lateness, longest_answer, spacing
from monitor.survey.structured import Route, routes
from monitor.survey.survey import Variant, requests, variants
from monitor.watch import Watch

MOST_VARIANTS: Final = 50
"""More names than this are no builds: the mapping takes something else for them."""


@dataclass(frozen=True, slots=True)
class Draft:
    """One deployment. `elsewhere` are its variants whose name another deployment has; a plan has each name once.

    `talking` is the share of its requests that name a conversation.
    """

    name: str
    share: float
    read: int
    spacing: Spacing
    variants: tuple[Variant, ...]
    elsewhere: tuple[str, ...]
    bucket: str
    lateness: str
    stale_after: str
    max_tokens: int
    counted: bool
    candidates: tuple[Candidate, ...]
    many_valued: tuple[ManyValued, ...]
    routes: tuple[Route, ...]
    signals: tuple[Running, ...]
    talking: float
    joins: bool
    imported: float
    replays: Replays


def drafts(extract: Extract) -> list[Draft]:
    """A draft for every deployment of the log, the busiest first."""
    owned: set[str] = set()
    found = []
    for name, events in extract.by_deployment.items():
        served = variants(events)
        elsewhere = tuple(sorted(owned & {variant.variant for variant in served}))
        if not elsewhere and len(served) <= MOST_VARIANTS:
            owned |= {variant.variant for variant in served}
        found.append(_draft(extract, name, events, served, elsewhere))
    return found


def _draft(
    extract: Extract, name: str, events: Sequence[Event], served: Sequence[Variant], elsewhere: tuple[str, ...]
) -> Draft:
    lies = spacing(extract.times(name), requests(extract, name))
    if lies is None:
        raise AssertionError("a deployment without requests")
    later = [record for record in extract.later if record.deployment == name]
    answers = [event.completion_tokens for event in events if event.completion_tokens is not None]
    found = replays(events)
    late, wide = lateness(lies.lag), bucket(lies.per_hour)
    return Draft(
        name=name,
        share=len(events) / len(extract.events),
        read=len(events),
        spacing=lies,
        variants=tuple(served),
        elsewhere=elsewhere,
        bucket=wide,
        lateness=late,
        stale_after=_stale_after(wide),
        max_tokens=longest_answer(answers),
        counted=bool(answers),
        candidates=tuple(candidates(events)),
        many_valued=tuple(many_valued(events)),
        routes=tuple(routes(events)),
        signals=tuple(running(Watch(name, Plan()), events, later)),
        talking=sum(event.conversation is not None for event in events) / len(events),
        joins=bool(later),
        imported=found.imported / len(events),
        replays=found,
    )


def _stale_after(wide: str) -> str:
    """A quarter of an hour, or two buckets if they are longer."""
    return f"{max(900, 2 * seconds(wide)) / 60:.0f}m"
