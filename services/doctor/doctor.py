"""The order of work: from this machine to what the plan can find. What depends on something broken is not tried."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from monitor.model import Arm, Event
from monitor.plan import DeploymentRule, Plan
from monitor.watch import Watch
from services.commands.options import clock
from services.doctor import alike, compared, rounds
from services.doctor.arms import Opened, arms, open_one, without_arm
from services.doctor.database import database
from services.doctor.log import log
from services.doctor.machine import disk, install
from services.doctor.planned import plan as read
from services.doctor.prompts import PROMPTS, chosen, counted
from services.doctor.replayed import completeness, replay
from services.doctor.result import Result, State, skip, warn
from services.forecast import Sample, read_sample, replays_per_hour
from services.ingest.jsonl import JsonlFile


@dataclass(frozen=True, slots=True)
class Question:
    """What is to be checked: the plan's file, the database's URL, logs, and how much room there must be in GiB."""

    plan_file: str | None
    db: str
    logs: tuple[str, ...] = ()
    free: float = 1.0


def examine(question: Question) -> Iterator[Result]:
    """Every check's result as soon as it is known. Nothing is written but in folders that are gone afterwards."""
    yield install()
    yield from disk(question.db, question.free)
    yield database(question.db)
    plan, results = read(question.plan_file)
    yield from results
    if plan is None:
        yield skip("log", "not looked at: without a plan nothing can be told of it")
        return
    look, results = log(question.logs, plan)
    yield from results
    sound = look is not None and not any(result.state is State.FAIL for result in results)
    base = Path(question.plan_file).parent if question.plan_file else Path()
    sample = cache(lambda: _sample(plan, question.logs)) if question.logs and sound else None
    for name, rule in plan.deployments.items():
        if rule.reference in rule.variants:
            events = look.extract.by_deployment.get(name, []) if look is not None and sound else []
            yield from _deployment(name, plan, events, sample, base)


def _deployment(
    name: str, plan: Plan, events: Sequence[Event], sample: Callable[[], Sample] | None, base: Path
) -> Iterator[Result]:
    """One deployment's arms: alone, against each other, and on logged prompts."""
    rule = plan.deployments[name]
    short = counted([event for event in events if event.variant != rule.reference])
    opened: dict[str, Opened] = {}
    broken = False
    for variant, arm in arms(rule).items():
        found, result = open_one(variant, arm, base, [event.messages or () for event in short])
        yield result
        broken = broken or result.state is State.FAIL
        if found is not None:
            opened[variant] = found
            yield alike.room(found, events, _longest(events, rule))
    yield from without_arm(name, rule)
    reference = opened.get(str(rule.reference))
    served = next((opened[variant] for variant in _by_traffic(rule, events) if variant in opened), None)
    if reference is not None:
        for other in opened.values():
            if other is not reference:
                yield from alike.alike(reference, other)
        yield alike.as_logged(reference, short)
    if reference is None or broken:
        yield skip("replay", f"not tried for {name}: an arm is broken, or the reference has none")
    elif sample is None:
        yield skip("replay", f"not tried for {name}: there is no log, or it is to be mended first")
    else:
        yield from _on_prompts(name, plan, events, reference, served, sample, base)


def _on_prompts(
    name: str,
    plan: Plan,
    events: Sequence[Event],
    reference: Opened,
    served: Opened | None,
    sample: Callable[[], Sample],
    base: Path,
) -> Iterator[Result]:
    """Twenty logged prompts through the real pipeline, and their pairs in rounds."""
    watch = Watch(name, plan)
    served_by_others = [event for event in events if event.variant != reference.variant] or events
    prompts = chosen(watch, served_by_others, reference.traits.context)
    if not prompts:
        yield skip("replay", f"no logged prompt of {name} can be replayed")
        return
    if len(prompts) < PROMPTS:
        yield warn("replay", f"only {len(prompts)} different prompts of {name} can be replayed: give a longer --log")
    found = replay(name, watch.rule, prompts, reference, served, base)
    asked = {Arm.REFERENCE: reference.variant, Arm.SECOND: reference.variant}
    results = list(completeness(found, asked if served is None else {Arm.DEPLOYED: served.variant} | asked))
    results.append(compared.noise(watch, reference, found))
    if served is not None:
        results += [compared.two_builds(watch.rule, reference, served, found), *compared.as_served(served, found)]
    results.append(compared.pace(found, replays_per_hour(plan, name, sample())))
    yield from results
    if any(result.state is State.FAIL for result in results):
        yield skip("cut answers", f"not tried for {name}: mend first what failed on its prompts")
        return
    yield from rounds.itself_and_cut(watch, found)


def _sample(plan: Plan, logs: Sequence[str]) -> Sample:
    """The units of the whole log, by which the replays that the plan asks for are counted."""
    with ExitStack() as stack:
        return read_sample(plan, [stack.enter_context(closing(JsonlFile(Path(file), clock))) for file in logs])


def _by_traffic(rule: DeploymentRule, events: Sequence[Event]) -> list[str]:
    """The served variants of the plan, those with the most requests in the log first."""
    names = [variant for variant in rule.variants if variant != rule.reference]
    return sorted(names, key=lambda variant: -sum(event.variant == variant for event in events))


def _longest(events: Sequence[Event], rule: DeploymentRule) -> int:
    """The longest answer that a replay may ask for."""
    asked = [event.sampling.max_tokens for event in events if event.sampling and event.sampling.max_tokens]
    return min(rule.shadow.max_tokens, max(asked, default=rule.shadow.max_tokens))
