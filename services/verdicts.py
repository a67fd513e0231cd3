"""The answer about a variant: the ledger's last look, never a recomputation, always whole."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import sqlalchemy as sa

from monitor.model import Decision, Recommendation, Verdict
from monitor.plan import Plan, seconds
from services.store.queries import deployments_of, latest_look


def current(
    connection: sa.Connection,
    plan: Plan,
    variant: str,
    deployment: str | None,
    now: float,
    *,
    as_of: float | None = None,
    fresh: bool = True,
) -> Verdict | None:
    """The verdict of the last look at or before `as_of`; None if neither the plan nor the store knows the variant.

    With `fresh`, a look that is older than the plan's `stale_after` at `now` is `hold`, unless it was a fail.
    """
    name = deployment or owner(connection, plan, variant)
    if name is None:
        return None
    rule = plan.deployment(name)
    width = seconds(rule.bucket if rule else "1m")
    look = latest_look(connection, name, variant, None if as_of is None else int(as_of / width))
    if look is None:
        known = rule is not None and variant in rule.variants
        return empty(plan, name, variant, now, "no evidence yet") if known else None
    verdict = msgspec.json.decode(look.verdict, type=Verdict)
    limit = seconds(rule.policy.stale_after if rule else "15m")
    if not fresh or now - verdict.as_of <= limit:
        return verdict
    return _stale(verdict, now - verdict.as_of)


def owner(connection: sa.Connection, plan: Plan, variant: str) -> str | None:
    """The deployment that has a variant of this name, if there is just one."""
    names = {name for name, rule in plan.deployments.items() if variant in rule.variants}
    names |= set(deployments_of(connection, variant))
    return names.pop() if len(names) == 1 else None


def empty(plan: Plan, deployment: str, variant: str, now: float, reason: str) -> Verdict:
    """A hold with all keys and no numbers."""
    return Verdict(
        deployment=deployment,
        variant=variant,
        decision=Decision.HOLD,
        reason=reason,
        recommendation=Recommendation("hold", reason),
        as_of=now,
        sealed_until=None,
        stale=False,
        coverage={"units": 0, "pairs": 0, "replayed_share": None, "excluded_share": 0.0},
        checks=(),
        findings=(),
        uncovered=(),
        worst=(),
        plan=plan.digest,
    )


def _stale(verdict: Verdict, age: float) -> Verdict:
    """Old evidence cannot pass; what failed stays failed."""
    if verdict.decision is Decision.FAIL:
        return replace(verdict, stale=True)
    reason = f"stale: the newest evidence is {age / 60:.0f} minutes old"
    return replace(
        verdict, decision=Decision.HOLD, reason=reason, stale=True, recommendation=Recommendation("hold", reason)
    )
