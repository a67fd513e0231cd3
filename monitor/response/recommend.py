"""What to do about a verdict: keep, hold, roll back, route one slice, or tighten decoding."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from monitor.model import Check, Decision, Finding, Recommendation
from monitor.slices import ALL

_STRUCTURAL: Final = ("json", "schema", "tool_call")
_STRUCTURAL_FAMILIES: Final = ("pattern:", "validator:")


@dataclass(frozen=True, slots=True)
class Candidate:
    """A build to roll back to. `last_served` is when it last served (seconds), None if it was never seen to."""

    variant: str
    cost: float
    last_decision: Decision | None
    is_reference: bool = False
    last_served: float | None = None


def recommend(
    decision: Decision,
    findings: Sequence[Finding],
    checks: Sequence[Check],
    candidates: Sequence[Candidate],
    variant: str = "",
    slices: Sequence[str] = (),
) -> Recommendation:
    """What to do, by the first rule that applies:

    1. pass: keep. hold: hold.
    2. fail on `all` or on more than half of the gating slices: roll back, since there is no small part to treat.
    3. only structural signals failed (JSON, schema, tool calls, patterns, validators), and no score of these slices is
       left undecided: tighten decoding there (constrained decoding makes such output well-formed; content that is
       harmed too would only be hidden by it).
    4. a few slices failed and every check of every other slice passes: route the failing slices to another build.
    5. otherwise: roll back.

    A rollback goes to the cheapest build whose last verdict was pass (proven); else to the one that served last and
    did not fail (unproven); else to the reference. `variant` is the build judged, never a target; `slices` are
    the gating slices (those of `checks` if not given).
    """
    if decision is Decision.PASS:
        return Recommendation("keep", "every gating check passes")
    if decision is Decision.HOLD:
        return Recommendation("hold", "not every gating check is decided")
    failed = _failed(findings, checks)
    others = [c for c in candidates if c.variant != variant]
    where = tuple(sorted({name for name, _ in failed}))
    gating = {*slices, *(check.slice for check in checks)} - {ALL}
    if not failed:
        return _roll_back(others, "the build failed")
    if ALL in where:
        return _roll_back(others, "the harm is in the traffic as a whole")
    if 2 * len(where) > len(gating):
        return _roll_back(others, f"{len(where)} of {len(gating)} slices fail")
    if all(_structural(signal) for _, signal in failed) and _content_is_fine(checks, where):
        reason = f"only the form of the output fails ({', '.join(sorted({s for _, s in failed}))})"
        return Recommendation("tighten_decoding", reason, slices=where)
    rest = tuple(sorted(gating - set(where)))
    if rest and _all_pass(checks, rest):
        target, proven, _ = _target(others)
        reason = f"only {', '.join(where)} fails; {', '.join(rest)} passes"
        return Recommendation("route_slice", reason, to=target, proven=proven, slices=where)
    return _roll_back(others, f"{', '.join(where)} fails, and the other slices are not shown to be fine")


def _failed(findings: Sequence[Finding], checks: Sequence[Check]) -> set[tuple[str, str]]:
    """(slice, signal) of everything that failed, by finding or by check."""
    return {(f.slice, f.signal) for f in findings if f.kind == "fail"} | {
        (c.slice, c.signal) for c in checks if c.decision is Decision.FAIL
    }


def _structural(signal: str) -> bool:
    return signal in _STRUCTURAL or signal.startswith(_STRUCTURAL_FAMILIES)


def _content_is_fine(checks: Sequence[Check], names: Sequence[str]) -> bool:
    """Whether every score check of these slices passes; slices without a score have nothing to say against it."""
    return all(c.decision is Decision.PASS for c in checks if c.signal == "score" and c.slice in names)


def _all_pass(checks: Sequence[Check], names: Sequence[str]) -> bool:
    passing = {name: [c.decision is Decision.PASS for c in checks if c.slice == name] for name in names}
    return all(found and all(found) for found in passing.values())


def _roll_back(candidates: Sequence[Candidate], why: str) -> Recommendation:
    target, proven, how = _target(candidates)
    return Recommendation("roll_back", f"{why}; {how}", to=target, proven=proven)


def _target(candidates: Sequence[Candidate]) -> tuple[str | None, bool, str]:
    """Where to roll back to, whether it is proven, and why it was chosen."""
    passing = [c for c in candidates if c.last_decision is Decision.PASS]
    if passing:
        best = min(passing, key=lambda c: (c.cost, c.variant))
        return best.variant, True, f"{best.variant} is the cheapest build whose last verdict is pass"
    served = [c for c in candidates if c.last_served is not None and c.last_decision is not Decision.FAIL]
    if served:
        last = max(served, key=lambda c: (c.last_served or 0.0, c.variant))
        return last.variant, False, f"{last.variant} served before it, and no build's last verdict is pass"
    reference = next((c for c in candidates if c.is_reference), None)
    if reference is not None:
        return reference.variant, False, f"{reference.variant} is the reference, and no other build is known to be fine"
    return None, False, "no other build is known to roll back to"
