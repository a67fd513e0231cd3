"""The survey of a log: all that a dry run says of it. Numbers, names and places; no prompt and no answer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from monitor.dialects.reader import Reader
from monitor.model import Event
from monitor.plan import Plan
from monitor.run import Run
from monitor.survey.doubts import doubts
from monitor.survey.extract import Extract, Problem, read, trial
from monitor.survey.fields import Field, fields
from monitor.survey.replays import Replays, replays, stands_in_the_way
from monitor.survey.running import Running, merged, running
from monitor.survey.spacing import Spacing, spacing
from monitor.watch import Watch
from monitor.wire import milliseconds

FIRST: Final = 5
"""So many problems are shown."""


@dataclass(frozen=True, slots=True)
class Variant:
    """One served build in the log; times in milliseconds."""

    deployment: str
    variant: str
    requests: int
    share: float
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Survey:
    """What the lines of a sample show. `refused` counts by reason what ingestion under the plan would quarantine.

    `requests` are those that can be read, whether the plan takes them or not; what follows counts these. `replays` are
    of requests that the reference did not serve itself; `hindrances` say what the plan lacks for comparing at all.
    """

    lines: int
    accepted: int
    duplicates: int
    refused: dict[str, int]
    dialects: dict[str, int]
    requests: int
    spacing: Spacing | None
    variants: tuple[Variant, ...]
    fields: tuple[Field, ...]
    signals: tuple[Running, ...]
    replays: Replays
    hindrances: tuple[str, ...]
    doubts: tuple[str, ...]
    problems: tuple[Problem, ...]


def extract_of(runs: Sequence[Run], plan: Plan, about: float) -> Extract:
    """The runs read as ingestion under the plan reads them, of logs that hold about so many lines."""
    return read(runs, Reader(plan.input.mapping, plan.home), about)


def survey(extract: Extract, runs: Sequence[Run], plan: Plan) -> Survey:
    """Surveys an extract and the runs it was made of, under a plan. Changes nothing and remembers nothing."""
    tried = trial(runs, plan)
    return Survey(
        lines=len(extract.lines),
        accepted=tried.accepted,
        duplicates=tried.duplicates,
        refused=dict(Counter(problem.reason for problem in tried.problems).most_common()),
        dialects=dict(Counter(line.found.dialect for line in extract.lines).most_common()),
        requests=len(extract.events),
        spacing=spacing(extract.times(), requests(extract)),
        variants=tuple(variants(extract.events)),
        fields=tuple(fields(line.found for stretch in extract.requests for line, _ in stretch)),
        signals=tuple(_signals(extract, plan)),
        replays=replays([event for event in extract.events if not _is_reference(event, plan)]),
        hindrances=tuple(stands_in_the_way(plan, extract.events)),
        doubts=tuple(doubts(extract, tried, plan)),
        problems=tried.problems[:FIRST],
    )


def requests(extract: Extract, deployment: str | None = None) -> float:
    """About how many requests the whole logs hold; of one deployment, or of all."""
    events = extract.events if deployment is None else extract.by_deployment[deployment]
    return extract.about * len(events) / max(1, len(extract.lines))


def _is_reference(event: Event, plan: Plan) -> bool:
    """Whether the reference itself served it: then there is nothing to compare it with."""
    rule = plan.deployment(event.deployment)
    return rule is not None and event.variant == rule.reference


def variants(events: Sequence[Event]) -> list[Variant]:
    """The served builds, the busiest first."""
    times: dict[tuple[str, str], list[int]] = {}
    for event in events:
        times.setdefault((event.deployment, event.variant), []).append(milliseconds(event.time))
    found = [
        Variant(deployment, variant, len(each), len(each) / len(events), min(each), max(each))
        for (deployment, variant), each in times.items()
    ]
    return sorted(found, key=lambda v: (-v.requests, v.deployment, v.variant))


def _signals(extract: Extract, plan: Plan) -> list[Running]:
    """Every signal; a deployment that the plan does not know is surveyed under the defaults."""
    several = []
    for name, events in extract.by_deployment.items():
        watch = Watch(name, plan if plan.deployment(name) is not None else Plan())
        later = [record for record in extract.later if record.deployment == name]
        several.append(running(watch, events, later))
    return merged(several)
