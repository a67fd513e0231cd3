"""The log: whether it can be read, is of this plan, tells the time, and can be asked again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from monitor.plan import DeploymentRule, Plan, seconds
from monitor.survey import clocks
from monitor.survey.clocks import span
from monitor.survey.survey import Survey
from services.commands.look import Look, look_at
from services.doctor.result import Result, fail, ok, skip, warn
from services.errors import UsageError
from services.words import percent

_FEW, _MANY = 0.01, 0.5
_DRY = "quantwatch ingest --dry-run FILE shows where"
_ELSEWHERE = ("is not in the plan, ", "clock", "cannot be taken")
"""Doubts that have a check of their own."""


def log(files: Sequence[str], plan: Plan) -> tuple[Look | None, list[Result]]:
    """A look at the files, None where there is none, and what there is to say of them."""
    if not files:
        return None, [skip("log", "no --log given: nothing of the traffic, and no replay, can be checked")]
    try:
        look = look_at(files, plan)
    except UsageError as error:
        return None, [fail("log", str(error), "give a log of chat requests, JSON lines in UTF-8")]
    if not look.extract.events:
        reasons = ", ".join(look.survey.refused) or "no request in it"
        return None, [fail("log", f"{', '.join(files)}: no line can be read ({reasons})", _DRY)]
    return look, [*_read(look.survey), *_variants(look, plan), *_clocks(look, plan), *_replayable(look.survey)]


def _read(survey: Survey) -> Iterator[Result]:
    refused = Counter(survey.refused)
    for stranger in ("unknown_variant", "unknown_deployment"):
        del refused[stranger]
    kinds = ", ".join(f"{name} {percent(count / survey.lines)}" for name, count in survey.dialects.items() if count)
    lost = refused.total() / survey.lines
    said = f"{survey.lines:,} lines read ({kinds}), {percent(lost)} cannot be taken"
    if refused:
        said += ": " + ", ".join(f"{reason} {count:,}" for reason, count in refused.most_common(3))
    if lost < _FEW:
        yield ok("log", said)
    else:
        yield warn("log", said, _DRY) if lost < _MANY else fail("log", said, _DRY)
    for doubt in survey.doubts:
        if not any(words in doubt for words in _ELSEWHERE):
            yield warn("log", doubt)


def _variants(look: Look, plan: Plan) -> Iterator[Result]:
    """Who served: that plan and log speak of the same deployments and variants."""
    served = {name: {event.variant for event in events} for name, events in look.extract.by_deployment.items()}
    for name, rule in plan.deployments.items():
        yield _served(name, rule, served.get(name, set()))
    for name in sorted(served.keys() - plan.deployments.keys()):
        known = ", ".join(plan.deployments)
        yield warn("variants", f"deployment {name} of the log is not in the plan, which has {known}", "name it there")


def _served(name: str, rule: DeploymentRule, served: set[str]) -> Result:
    if not served:
        return fail("variants", f"nothing of deployment {name} is in the log", "is it the right log, and plan?")
    known, strange = served & rule.variants.keys(), sorted(served - rule.variants.keys())
    if not strange:
        return ok("variants", f"{name} is served by {', '.join(sorted(served))}, all in the plan")
    said = f"{name}: the log has {', '.join(strange)}, the plan {', '.join(rule.variants)}"
    grade = warn if known else fail
    return grade("variants", said, "use the log's names in the plan, or map them (`input.mapping.variant`)")


def _clocks(look: Look, plan: Plan) -> Iterator[Result]:
    """Times of the log against each other, this machine's clock, and the plan's lateness."""
    problems = list(clocks.apart(look.extract))
    for problem in problems:
        yield fail("clocks", problem, "set the clocks (UTC), name the zone, or map the right field")
    where = look.survey.spacing
    if where is None or problems:
        return
    said = f"the log runs over {span(where.last - where.first)}, until {span(look.extract.clock - where.last)} ago"
    known = [plan.deployments[name] for name in look.extract.by_deployment if name in plan.deployments]
    lateness = min((seconds(rule.lateness) * 1000 for rule in known), default=where.lag)
    if where.lag > lateness:
        late = f"lines come up to {span(where.lag)} behind newer ones, and the plan waits {span(lateness)}"
        yield warn("clocks", f"{said}; {late}", "raise `lateness`")
    else:
        yield ok("clocks", said)


def _replayable(survey: Survey) -> Iterator[Result]:
    found = survey.replays
    if not found.requests:
        return
    why = ", ".join(f"{percent(count / found.requests)} not: {reason}" for reason, count in found.reasons.items())
    said = f"{percent(found.replayable / found.requests)} of the requests can be replayed"
    said += f" ({why})" if why else ""
    if found.replayable + found.imported == 0:
        yield fail("replays", said, "log the messages of the requests")
    elif found.replayable + found.imported < _MANY * found.requests:
        yield warn("replays", said, "the rest is never compared")
    else:
        yield ok("replays", said)
