"""What is watched: deployments, variants, slices, signals with tolerances, budgets. Data, versioned by hash.

The structs below are the plan's shape; `monitor.planfile` reads them from YAML and explains what is wrong.
Durations are written as `5s`, `10m`, `7d`; shares and rates as numbers in [0, 1].
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import msgspec
import xxhash

from monitor.dialects.mapping import InputRule
from monitor.model import QuantFormat

GATING = ("schema", "tool_call", "refusal", "score")


class Where(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a request must show to belong to a slice; all given conditions hold together.

    `tags` maps a tag to its value or to a list of values. Token bounds are inclusive below, exclusive above.
    """

    tags: dict[str, str | tuple[str, ...]] = {}
    prompt_tokens_from: int | None = None
    prompt_tokens_below: int | None = None
    structure: Literal["json_schema", "json", "tools", "none"] | None = None
    language: str | None = None


class SliceRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A named part of the traffic, chosen by request-side attributes only. With `latency` its latencies are watched
    by themselves; those over all traffic always are."""

    name: str
    where: Where = Where()
    gates: bool = True
    latency: bool = False


class PriceRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a million tokens cost, in and out, in the currency of `money_per_day`."""

    input: float = 0.0
    output: float = 0.0


class ArmRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where a build's replays come from. `quantization` names a torchao format of the transformers backend.

    `same_build` says that an in-process quantization stands for the served build. From `url` on the keys are the
    openai backend's; the token's value is read from the named environment variable, and days are UTC's.
    """

    backend: Literal["transformers", "openai", "recorded"] = "transformers"
    model: str = ""
    dtype: Literal["float32", "bfloat16"] = "float32"
    quantization: str | None = None
    same_build: bool = False
    url: str = ""
    token_env: str | None = None
    timeout: str = "30s"
    concurrency: int = 4
    tokens_per_day: int | None = None
    price_per_million: PriceRule | None = None
    money_per_day: float | None = None


class VariantRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One served build. `cost` orders builds: the cheapest proven one is where to roll back to.

    `control` names a build that serves at the same time and gets its requests without regard to what they ask.
    """

    format: QuantFormat = QuantFormat()
    cost: float = 1.0
    base_model: str = ""
    revision: str = ""
    engine: str = ""
    hardware: str = ""
    arm: ArmRule | None = None
    control: str | None = None


class PatternRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A regular expression (RE2) that an output must or must not match; `where` limits it to some requests."""

    name: str
    expression: str
    must: Literal["match", "not_match"] = "match"
    where: Where = Where()


class SchemaRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The JSON Schema that answers to some requests must follow although the requests do not say so."""

    name: str
    schema: dict[str, Any]
    where: Where = Where()


class SignalRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How much harm of a signal is accepted, as a difference of rates or mean scores, and whether it gates.

    Without `gates`, a signal gates if it is one of schema, tool_call, refusal and score. Of a latency, `tolerance` is
    how much longer it may be. `rate` is a live rate that is known to be fine.
    """

    tolerance: float = 0.02
    gates: bool | None = None
    rate: float | None = None


class ShadowRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which units are replayed. `share` is p for every stratum unless `strata` names another for a slice.

    `excluded_limit` is the share of pairs lacking an arm above which a check holds.
    """

    share: float = 0.05
    strata: dict[str, float] = {}
    per_hour: int | None = None
    horizon: str = "10m"
    second_share: float = 0.1
    excluded_limit: float = 0.2
    max_tokens: int = 256


class CorrectionRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How long after a turn a correction still counts, by the conversation's own event times."""

    horizon: str = "10m"
    loop: int = 3


class JoinRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Late scores and feedback: kept open for this share of the units, for this long."""

    share: float = 0.0
    horizon: str = "1d"


class BudgetRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Promised error rates. `wrong_fail` and `wrong_pass` are probabilities per variant over its whole life.

    `baseline` and `swing` say how far a live rate may be from its past without being news, and `past`, whether what
    is news against the past pages; that needs a declared swing.
    """

    wrong_fail: float = 0.01
    wrong_pass: float = 0.05
    false_pages: str = "1 per quarter"
    tickets: str = "1 per month"
    swing: float | None = None
    baseline: Literal["widened", "estimated"] = "widened"
    past: Literal["ticket", "page"] = "ticket"


class PolicyRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is done about findings. A rollback is advice: nothing is done by itself."""

    rollback: Literal["recommend"] = "recommend"
    stale_after: str = "15m"
    minimum_pairs: int = 30


class DeploymentRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One product endpoint. `reference` names the variant that the others are measured against.

    Of `schemas` the first whose `where` holds counts, for requests that demand no structure of their own; `validators`
    are a team's own checks, by their installed names. `unit_turns` are the weights with which the first, second, …
    turn of a conversation is drawn as its unit.
    """

    variants: dict[str, VariantRule] = {}
    reference: str | None = None
    bucket: str = "1m"
    lateness: str = "10m"
    seed: int = 1
    unit_turns: tuple[float, ...] = (1.0,)
    slices: tuple[SliceRule, ...] = ()
    signals: dict[str, SignalRule] = {}
    patterns: tuple[PatternRule, ...] = ()
    schemas: tuple[SchemaRule, ...] = ()
    validators: tuple[str, ...] = ()
    shadow: ShadowRule = ShadowRule()
    correction: CorrectionRule = CorrectionRule()
    joins: JoinRule = JoinRule()
    budget: BudgetRule = BudgetRule()
    policy: PolicyRule = PolicyRule()

    @property
    def width(self) -> int:
        """Milliseconds of a bucket."""
        return int(seconds(self.bucket) * 1000)


class WebhookRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A signed webhook (Standard Webhooks); the secret's value is read from the named environment variable."""

    url: str
    secret_env: str


class Plan(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The whole plan. `text` is how long texts are kept (`7d`), or `none`."""

    version: Literal[1] = 1
    deployments: dict[str, DeploymentRule] = {}
    text: str = "7d"
    webhooks: tuple[WebhookRule, ...] = ()
    input: InputRule = InputRule()

    @property
    def widths(self) -> dict[str, int]:
        """Milliseconds of a bucket of each deployment that is named."""
        return {name: rule.width for name, rule in self.deployments.items()}

    @property
    def digest(self) -> str:
        """Sixteen hex digits that name this plan; equal plans, however written, have equal digests."""
        said = msgspec.to_builtins(self, order="deterministic")
        if self.input == InputRule():
            del said["input"]  # plans are older than this key, and one that does not use it keeps its name
        elif self.input.keyed_by == InputRule().keyed_by:
            del said["input"]["keyed_by"]
        for rule in said["deployments"].values():
            _forget_unused(rule)
        return xxhash.xxh3_64_hexdigest(msgspec.json.encode(said))

    @property
    def open(self) -> bool:
        """Whether unknown deployments and variants register themselves (no plan file was given)."""
        return not self.deployments

    @property
    def keep(self) -> int | None:
        """How long texts are kept, in milliseconds; None for not at all."""
        return None if self.text == "none" else int(seconds(self.text) * 1000)

    def deployment(self, name: str) -> DeploymentRule | None:
        """The rule of a deployment: its own, the default one under an open plan, else None (unknown)."""
        return self.deployments.get(name) if self.deployments else DeploymentRule()

    def home(self, variant: str) -> str | None:
        """The deployment of a request whose log names none: the one that has its variant, else the only one.

        Under an open plan it is called `default`; None if there are several and none of them has the variant.
        """
        if not self.deployments:
            return "default"
        having = [name for name, rule in self.deployments.items() if variant in rule.variants]
        return next(iter(having or (self.deployments if len(self.deployments) == 1 else ())), None)


def _forget_unused(rule: dict[str, Any]) -> None:
    """Takes out younger keys that a deployment does not use, for the same reason."""
    younger: list[tuple[dict[str, Any], str, str | bool | None]]
    younger = [(each, "control", None) for each in rule["variants"].values()]
    younger += [(each, "rate", None) for each in rule["signals"].values()]
    younger += [(each, "latency", False) for each in rule["slices"]]
    younger += [(rule["budget"], "baseline", "widened"), (rule["budget"], "past", "ticket")]
    for each, key, default in younger:
        if each[key] == default:
            del each[key]


def seconds(duration: str) -> float:
    """The seconds of `250ms`, `5s`, `10m`, `2h`, `7d`; ValueError with what is allowed otherwise."""
    units: Mapping[str, float] = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400}
    number = duration.rstrip("smhd")
    unit = duration[len(number) :]
    try:
        value = float(number)
    except ValueError:
        value = -1.0
    if unit not in units or not 0 <= value < float("inf"):
        raise ValueError(f"{duration!r} is no duration; write a number and ms, s, m, h or d, such as 10m")
    return value * units[unit]
