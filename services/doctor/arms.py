"""The arms: whether each build can be reached, is the right one, and takes the token."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from monitor.plan import ArmRule, DeploymentRule
from monitor.traits import Traits
from services.bootstrap import open_arm, stands_for_served
from services.doctor.engine import Engine, Probes
from services.doctor.result import Result, fail, ok, skip
from services.doctor.traits import of_build, of_engine
from services.errors import UsageError
from services.settings import secret

_MENDS = {
    "is missing: install": "install it, or name an engine that answers over HTTP (`backend: openai`)",
    "refuses the token": "renew the token in that environment variable",
    "token is not set": "set that environment variable where quantwatch runs",
    "has no model": "mend the arm's `model`",
    "answers as": "start the engine with that model, or mend the arm's `model`",
    "config.json is missing": "mend the arm's `model`: a folder in the Hugging Face layout",
    "no chat API there": "mend the arm's `url`",
}


@dataclass(frozen=True, slots=True)
class Opened:
    """One arm that answers: its variant, its rule, the build, and what it says of itself."""

    variant: str
    rule: ArmRule
    build: Any
    traits: Traits


def arms(rule: DeploymentRule) -> dict[str, ArmRule]:
    """The arms of a deployment that a worker asks, by variant; the reference's first."""
    found = {}
    for variant, known in sorted(rule.variants.items(), key=lambda item: item[0] != rule.reference):
        if known.arm is not None and (variant == rule.reference or stands_for_served(known.arm)):
            found[variant] = known.arm
    return found


def without_arm(name: str, rule: DeploymentRule) -> list[Result]:
    """What it means that served variants have no arm of their own, or one that may not stand for them."""
    idle = [variant for variant in rule.variants if variant != rule.reference and variant not in arms(rule)]
    if not idle:
        return []
    held = [variant for variant in idle if rule.variants[variant].arm is not None]
    said = f"{', '.join(idle)} of {name} {'has' if len(idle) == 1 else 'have'} no arm: blame stays undetermined"
    if held:
        said += f" ({', '.join(held)}: a build quantized anew stands for the served one only with `same_build`)"
    return [skip("arm", said)]


def open_one(variant: str, rule: ArmRule, base: Path, logged: Probes) -> tuple[Opened | None, Result]:
    """Reaches and opens one arm; None where it cannot be used, with the reason."""
    check = f"arm {variant}"
    if rule.backend == "openai":
        return _open_engine(check, variant, rule, base, logged)
    try:
        build = open_arm(rule, base, variant)
    except UsageError as error:
        return None, _unusable(check, str(error))
    return Opened(variant, rule, build, of_build(build, logged)), ok(check, f"{build.name} is open in this process")


def _open_engine(check: str, variant: str, rule: ArmRule, base: Path, logged: Probes) -> tuple[Opened | None, Result]:
    if rule.token_env is not None and not secret(rule.token_env):
        return None, fail(check, f"the token is not set: {rule.token_env}", _MENDS["token is not set"])
    with Engine(rule) as engine:
        trouble = engine.trouble()
        if trouble is not None:
            return None, fail(check, *trouble)
        try:
            build = open_arm(rule, base, variant)
        except UsageError as error:
            return None, _unusable(check, str(error))
        if build.abilities is None:
            said = f"{rule.url} lists its models and does not answer a chat request (within {rule.timeout}, or at all)"
            return None, fail(check, said, "look at the engine's own log: it hangs, is overloaded, or fails")
        able = build.abilities
        parts = [word for word, there in (("log-probabilities", able.logprobs), ("scores", able.scores)) if there]
        found = Opened(variant, rule, build, of_engine(engine, logged))
    more = f"with {' and '.join(parts)}" if parts else "without log-probabilities: only answers are compared"
    return found, ok(check, f"{rule.model} answers at {rule.url}, {more}")


def _unusable(check: str, error: str) -> Result:
    """Why an arm cannot be opened, without repeating whose it is."""
    reason = error.partition(" cannot be opened: ")[2] or error
    return fail(check, reason, next((mend for words, mend in _MENDS.items() if words in reason), "mend the arm"))
