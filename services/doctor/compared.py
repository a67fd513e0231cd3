"""What the answers to the logged prompts tell: how noisy the reference is, and which build is which."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from monitor.model import Arm, QuantFormat
from monitor.plan import DeploymentRule
from monitor.signals.fidelity import same_answer
from monitor.watch import Watch
from services.doctor.arms import Opened
from services.doctor.replayed import Replayed
from services.doctor.result import Result, fail, ok, skip, warn
from services.words import percent, rounded

_NOISY: Final = 0.3
_ALIKE: Final = 0.5
_LOGPROB: Final = 1e-6
_TEMPERATURE = "does the engine batch, or override temperature 0? a noisy reference slows every check down"
_WRONG_URL = "does the reference's `url` or `model` name the quantized build?"


def noise(watch: Watch, reference: Opened, found: Replayed) -> Result:
    """The reference against itself on the same prompts: what differs is noise, for texts and for gating signals."""
    twice = found.both(Arm.REFERENCE, Arm.SECOND)
    if not twice:
        return skip("noise", "the reference did not answer any prompt twice")
    texts = sum(not same_answer(one, other) for _, one, other in twice)
    said = f"{reference.variant} answered {texts} of {len(twice)} prompts differently the second time"
    said += f" (noise floor {percent(texts / len(twice))})"
    judged = {
        signal: _judged(watch, found, signal) for signal in watch.judge.signals if watch.signal_rule(signal).gates
    }
    apart = {
        signal: (n, of) for signal, (n, of) in judged.items() if n and n / of > watch.signal_rule(signal).tolerance
    }
    if apart:
        named = ", ".join(f"{signal} on {n} of {of}" for signal, (n, of) in apart.items())
        said += f"; judged differently, beyond the tolerance: {named}"
        return fail("noise", said, _TEMPERATURE) if max(apart.values())[0] > 1 else warn("noise", said, _TEMPERATURE)
    return warn("noise", said, _TEMPERATURE) if texts > _NOISY * len(twice) else ok("noise", said)


def _judged(watch: Watch, found: Replayed, signal: str) -> tuple[int, int]:
    """Prompts on which a signal judges the reference's two answers differently, of those that it judges."""
    pairs = [
        (found.outcomes[event.id, Arm.REFERENCE].get(signal, -1), found.outcomes[event.id, Arm.SECOND].get(signal, -1))
        for event, _, _ in found.both(Arm.REFERENCE, Arm.SECOND)
    ]
    known = [(one, other) for one, other in pairs if one >= 0 and other >= 0]
    return sum(one != other for one, other in known), len(known)


def two_builds(rule: DeploymentRule, reference: Opened, served: Opened, found: Replayed) -> Result:
    """Whether reference and served build differ at all where the plan says that their formats do."""
    names = f"{reference.variant} and {served.variant}"
    if _same_place(reference, served):
        return fail("two builds", f"{names} are asked at the same place, so they are one build", _WRONG_URL)
    both = found.both(Arm.DEPLOYED, Arm.REFERENCE)
    if not both:
        return skip("two builds", f"{names} have no prompt that both answered")
    differing = sum(not same_answer(one, other) for _, one, other in both)
    said = f"{names} differ on {differing} of {len(both)} prompts"
    if differing or _format(rule, reference) == _format(rule, served):
        return ok("two builds", said)
    known = [(one.logprobs, other.logprobs) for _, one, other in both if one.logprobs and other.logprobs]
    if not known:
        return warn("two builds", f"{said}, and no probabilities tell more: usual at 8 bits, not below", _WRONG_URL)
    gaps = (abs(a - b) for one, other in known for a, b in zip(one, other, strict=False))
    if max(gaps, default=0.0) <= _LOGPROB:
        said += " and in no probability, though the plan says that their formats differ"
        return fail("two builds", f"{said}: the reference is the served build", _WRONG_URL)
    return ok("two builds", f"{said}, but in their probabilities")


def _same_place(one: Opened, other: Opened) -> bool:
    if one.rule.backend != other.rule.backend:
        return False
    if one.rule.backend == "openai":
        return (one.rule.url.rstrip("/"), one.rule.model) == (other.rule.url.rstrip("/"), other.rule.model)
    places = [(rule.model, rule.dtype, rule.quantization) for rule in (one.rule, other.rule)]
    return places[0] == places[1]


def _format(rule: DeploymentRule, one: Opened) -> QuantFormat:
    return rule.variants[one.variant].format


def as_served(served: Opened, found: Replayed) -> Iterator[Result]:
    """Whether the served build's arm gives the answers that the log has."""
    both = [
        (event.output, found.outputs[event.id, Arm.DEPLOYED])
        for event in found.events
        if event.output is not None and (event.id, Arm.DEPLOYED) in found.outputs
    ]
    if not both:
        yield skip("as served", f"no logged answer to hold {served.variant} against")
        return
    alike = sum(same_answer(logged, again) for logged, again in both)
    said = f"the arm of {served.variant} gives the logged answer to {alike} of {len(both)} prompts"
    if alike < _ALIKE * len(both):
        yield warn("as served", said, "is it the served build, with the same template and sampling?")
    else:
        yield ok("as served", said)


def pace(found: Replayed, hourly: float) -> Result:
    """Whether one worker keeps up with the replays that the plan's sampling asks for, `hourly` of them."""
    answered = len(found.outputs)
    if not answered or not found.seconds:
        return skip("pace", "no replay was timed")
    able = 3600.0 * answered / found.seconds
    said = f"a worker makes about {rounded(able)} replays an hour here, the plan asks for {rounded(hourly)}"
    if able < hourly:
        return warn("pace", said, "lower `shadow.share`, set `shadow.per_hour`, or start more workers")
    return ok("pace", said)
