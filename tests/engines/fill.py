"""The blanks of a first plan, filled in as the person would who set these servers up."""

from __future__ import annotations

import re
from collections.abc import Mapping

REFERENCE = "small-f32"
COSTS = {"small-f16": 0.8, "small-q8_0": 0.5, "small-q4_0": 0.3, "small-q2_k": 0.2}
TOLERANCES = {"schema": 0.05, "tool_call": 0.03, "refusal": 0.05}
_ARM = 'arm: {{backend: openai, url: "{url}", model: {name}, concurrency: 1}}'


def fill(plan: str, urls: Mapping[str, str]) -> str:
    """A plan of `plan init` with its reference, its arms, what is accepted, and every unit replayed."""
    plan = re.sub(r"# reference: \S+.*", f"reference: {REFERENCE}", plan)
    plan = plan.replace("    variants:\n", f"    variants:\n{_reference(urls)}", 1)
    for name, url in urls.items():
        plan = re.sub(rf"# (arm: {{[^}}]*model: {name}, [^}}]*}}).*", _arm(name, url), plan)
        plan = re.sub(
            rf"(      {name}:.*\n        cost: )1.0.*\n        # (format: {{[^}}]*}}).*",
            rf"\g<1>{COSTS.get(name, 1.0)}\n        \2",
            plan,
        )
    for signal, tolerance in TOLERANCES.items():
        plan = re.sub(rf"(?m)^(      {signal}: {{tolerance: )[\d.]+(}}).*", rf"\g<1>{tolerance}\2", plan)
    return re.sub(r"(      share: )\S+.*", r"\g<1>1.0", plan)


def _reference(urls: Mapping[str, str]) -> str:
    arm = _arm(REFERENCE, urls[REFERENCE])
    return f"      {REFERENCE}:\n        format: {{kind: full-precision, bits: 32}}\n        {arm}\n"


def _arm(name: str, url: str) -> str:
    return _ARM.format(name=name, url=url)
