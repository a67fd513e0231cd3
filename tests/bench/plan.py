"""The plan of the ingestion benchmark: one deployment, two variants, all live signals, as many slices as asked for."""

from __future__ import annotations

from monitor.plan import ArmRule, DeploymentRule, Plan, ShadowRule, SliceRule, VariantRule, Where
from tests.bench.traffic import DEPLOYMENT, ROUTES, TENANTS, TIERS, VARIANTS

SLICES = 12


def plan(slices: int = SLICES, share: float = 0.0) -> Plan:
    """Watches `slices` slices beside `all`; replays the given share of the units of the quantized build."""
    arm = ArmRule(backend="recorded", model="recorded")
    rule = DeploymentRule(
        variants={name: VariantRule(arm=arm) for name in VARIANTS},
        reference=VARIANTS[0],
        slices=_slices(slices),
        shadow=ShadowRule(share=share),
    )
    return Plan(deployments={DEPLOYMENT: rule})


def _slices(number: int) -> tuple[SliceRule, ...]:
    """Routes, tiers, prompt lengths and demanded structure; beyond those, one slice a tenant."""
    rules = [
        *(SliceRule(route, Where(tags={"route": route})) for route in ROUTES),
        *(SliceRule(tier, Where(tags={"tier": tier})) for tier in TIERS),
        SliceRule("short", Where(prompt_tokens_below=512)),
        SliceRule("long", Where(prompt_tokens_from=4_096)),
        SliceRule("schema", Where(structure="json_schema")),
        SliceRule("tools", Where(structure="tools")),
    ]
    tenants = (SliceRule(f"t{n:03d}", Where(tags={"tenant": f"t{n:03d}"})) for n in range(TENANTS))
    return (*rules, *tenants)[:number]
