"""What a person should look at before trusting a log: one clear sentence for each."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from monitor.dialects.mapping import LoadRule, MappingRule, TimingsRule
from monitor.plan import Plan
from monitor.survey import clocks
from monitor.survey.builds import two_builds
from monitor.survey.extract import Extract, Line, Problem, Trial

_MOST: Final = 0.5
_MANY_COPIES: Final = 0.05
_SHOWN: Final = 4
_EMBEDDINGS: Final = re.compile(rb'"object"\s*:\s*"embedding"|/v1/embeddings|"embedding"\s*:\s*[\["]')
_DEFAULT: Final = MappingRule()


def doubts(extract: Extract, trial: Trial, plan: Plan) -> Iterator[str]:
    """Everything doubtful in an extract under a plan, the gravest first."""
    yield from _mostly_refused(extract, trial.problems)
    yield from _nowhere(extract.lines, plan.input.mapping)
    yield from _strangers(extract, plan)
    yield from _several_builds(extract, plan.input.mapping)
    yield from _homeless(extract)
    yield from clocks.apart(extract, sum(problem.reason == "late" for problem in trial.problems))
    if trial.duplicates > _MANY_COPIES * len(extract.lines):
        copies = f"{trial.duplicates:,} of {len(extract.lines):,} lines"
        yield f"{copies} are copies of earlier ones, by their id: they count once"


def embeddings(lines: Sequence[Line]) -> bool:
    """Whether most lines are calls of an embeddings endpoint, in which nothing can be watched."""
    calls = sum(line.event is None and _EMBEDDINGS.search(line.raw) is not None for line in lines)
    return calls > _MOST * len(lines)


def _mostly_refused(extract: Extract, problems: Sequence[Problem]) -> Iterator[str]:
    lines = len(extract.lines)
    for reason, count in Counter(problem.reason for problem in problems).most_common(1):
        if count > _MOST * lines:
            details = Counter(problem.detail for problem in problems if problem.reason == reason and problem.detail)
            detail = f": {details.most_common(1)[0][0]}" if details else ""
            yield f"{count:,} of {lines:,} lines cannot be taken ({reason}){detail}"


def _nowhere(lines: Sequence[Line], mapping: MappingRule) -> Iterator[str]:
    """Keys of the mapping that were given and of which no line has anything at the place."""
    for key in _given(mapping):
        name = key.replace("tags_from", "tags")
        found = sum(_has(line.found.origins, name) for line in lines)
        sought = Counter(line.found.missing[name] for line in lines if name in line.found.missing)
        if sought and not found:
            yield f"`input.mapping.{key}` points nowhere: in all {sought.total():,} lines {sought.most_common(1)[0][0]}"


def _given(mapping: MappingRule) -> Iterator[str]:
    for key in mapping.__struct_fields__:
        given: Any = getattr(mapping, key)
        usual = getattr(_DEFAULT, key)
        if isinstance(given, dict):
            yield from (f"{key}.{inner}" for inner in given)
        elif isinstance(given, TimingsRule | LoadRule):
            inner_keys = given.__struct_fields__
            yield from (f"{key}.{inner}" for inner in inner_keys if getattr(given, inner) != getattr(usual, inner))
        elif given != usual:
            yield key


def _has(origins: Mapping[str, str], name: str) -> bool:
    return name in origins or any(origin.startswith(f"{name}.") for origin in origins)


def _strangers(extract: Extract, plan: Plan) -> Iterator[str]:
    """Deployments and variants that the plan does not name."""
    if plan.open:
        return
    for name, events in extract.by_deployment.items():
        rule = plan.deployments.get(name)
        if rule is None:
            known = _listed(plan.deployments)
            yield f"deployment `{name}` ({_percent(len(events), extract)}) is not in the plan, which has {known}"
            continue
        if rule.variants:
            seen = Counter(event.variant for event in events)
            for variant, count in seen.most_common():
                if variant not in rule.variants:
                    known = _listed(rule.variants)
                    share = _percent(count, extract)
                    yield f"variant `{variant}` ({share}) is not in the plan, whose `{name}` has {known}"


def _several_builds(extract: Extract, mapping: MappingRule) -> Iterator[str]:
    for found in two_builds((pair for stretch in extract.requests for pair in stretch), mapping):
        how = "in turns" if found.since is None else "one after the other"
        named = _listed(found.values)
        yield (
            f"variant `{found.variant}` seems to be {len(found.values)} builds under one name: `{found.place}` says "
            f"{named}, {how}; a build needs a name of its own"
        )


def _homeless(extract: Extract) -> Iterator[str]:
    """Variants that serve in several deployments, which no plan can name twice."""
    places: dict[str, set[str]] = defaultdict(set)
    for event in extract.events:
        places[event.variant].add(event.deployment)
    for variant, names in sorted(places.items()):
        if len(names) > 1:
            yield f"variant `{variant}` serves in {_listed(sorted(names))}: in a plan a name is one variant's only"


def _percent(count: int, extract: Extract) -> str:
    return f"{100 * count / len(extract.events):.3g} % of the requests"


def _listed(names: Any) -> str:
    """Some names, and how many more there are."""
    shown = [f"`{name}`" for name in list(names)[:_SHOWN]]
    more = len(names) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more > 0 else "") if shown else "none"
