"""The one model: what quantwatch speaks of, as frozen values.

Wire records (`Event`, `ScoreReport`, `Feedback`) are frozen msgspec structs, because the codec in
`monitor.wire` decodes straight into them. Everything else is a frozen dataclass. Nothing here does work.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Literal

import msgspec

Name = Annotated[str, msgspec.Meta(min_length=1, max_length=256)]
Stamp = Annotated[float, msgspec.Meta(ge=0, le=4_102_444_800)] | Annotated[datetime, msgspec.Meta(tz=True)]
Count = Annotated[int, msgspec.Meta(ge=0, le=2_147_483_647)]
Milliseconds = Annotated[float, msgspec.Meta(ge=0, le=86_400_000)]
Score = Annotated[float, msgspec.Meta(ge=0, le=1)]


NO_TOOLS = msgspec.Raw()
"""No tools were offered; `null` says the same. The encoder leaves this very object out."""


class Message(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """One turn of the prompt. `content` is plain text; other modalities are not replayable."""

    role: Literal["system", "user", "assistant", "tool", "developer"]
    content: str | None = None
    name: str | None = None
    tool_calls: tuple[ToolCall, ...] = ()


class ToolCall(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """A tool call as the model emitted it; `arguments` is the JSON text, possibly broken."""

    name: str
    arguments: str = "{}"


class Output(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """What one build answered. `token_ids` and `logprobs` (nats) are parallel where both are present."""

    text: str | None = None
    tool_calls: tuple[ToolCall, ...] = ()
    finish_reason: str | None = None
    token_ids: tuple[int, ...] = ()
    logprobs: tuple[float, ...] = ()


class JsonSchemaFormat(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """A named JSON Schema; the schema stays raw bytes, so that it can be a cache key."""

    schema: msgspec.Raw
    name: str | None = None
    strict: bool | None = None


class ResponseFormat(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """What the caller demanded of the output's structure, in OpenAI's form."""

    type: str
    json_schema: JsonSchemaFormat | None = None


class Sampling(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """Decoding parameters of the request; absent means the server's default.

    `repetition_penalty` is no parameter of OpenAI's; engines know it by this name or as `repeat_penalty`.
    """

    temperature: float | None = None
    top_p: float | None = None
    seed: int | None = None
    max_tokens: int | None = None
    tool_choice: str | None = None
    stop: str | tuple[str, ...] | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    repetition_penalty: float | None = None


class Timings(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """Stage durations in milliseconds; `first_token` counts from admission."""

    queue: Milliseconds | None = None
    first_token: Milliseconds | None = None
    total: Milliseconds | None = None


class Load(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """The server's load when the request was admitted."""

    running: Count | None = None
    waiting: Count | None = None


class Expected(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """A known right answer, from which a task score is computed for every arm.

    `kind` is `json` (value equal after parsing), `tool_call` (name and arguments equal), `text`
    (equal after trimming and case folding), `refusal` or `comply`. `value` is raw JSON.
    """

    kind: Literal["json", "tool_call", "text", "refusal", "comply"]
    value: msgspec.Raw


class Event(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """One served request in the native format (`schema_version` 1). A stamp is seconds since
    the epoch, or RFC 3339 with a zone."""

    id: Name
    deployment: Name
    variant: Name
    time: Stamp
    kind: Literal["request"] = "request"
    schema_version: Literal[1] = 1
    received_at: Stamp | None = None
    conversation: Name | None = None
    turn: Annotated[int, msgspec.Meta(ge=1, le=100_000)] | None = None
    user: Name | None = None
    action: Literal["regenerate", "edit"] | None = None
    messages: tuple[Message, ...] | None = None
    tools: msgspec.Raw = NO_TOOLS
    response_format: ResponseFormat | None = None
    sampling: Sampling | None = None
    output: Output | None = None
    prompt_tokens: Count | None = None
    completion_tokens: Count | None = None
    timings: Timings | None = None
    load: Load | None = None
    tags: dict[str, str] | None = None
    expected: Expected | None = None
    score: Score | None = None
    reference: Output | None = None
    reference_score: Score | None = None


class ScoreReport(msgspec.Struct, frozen=True, gc=False):
    """A task score in [0, 1] that arrives after its request."""

    id: Name
    deployment: Name
    request: Name
    time: Stamp
    value: Score
    kind: Literal["score"] = "score"


class Feedback(msgspec.Struct, frozen=True, gc=False):
    """A user's verdict on a served request; `down` counts as a correction of it."""

    id: Name
    deployment: Name
    request: Name
    time: Stamp
    rating: Literal["up", "down"]
    kind: Literal["feedback"] = "feedback"


Record = Event | ScoreReport | Feedback


class Arm(StrEnum):
    """Whose output: what users got, the deployed build replayed, the reference, the reference again."""

    LOGGED = "logged"
    DEPLOYED = "deployed"
    REFERENCE = "reference"
    SECOND = "second"


class Population(StrEnum):
    """`all` is for display, `unit` is what evidence counts, `pair` are the units that were replayed."""

    ALL = "all"
    UNIT = "unit"
    PAIR = "pair"


class Missing(StrEnum):
    """Why a signal has no outcome for an event or an arm."""

    NO_CONTENT = "no_content"
    NO_SCHEMA = "no_schema"
    NOT_REPLAYABLE = "not_replayable"
    NOT_OBSERVED = "not_observed"
    TIMED_OUT = "timed_out"


class Decision(StrEnum):
    """The three answers a deployment controller gets."""

    PASS = "pass"
    HOLD = "hold"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class QuantFormat:
    """How a build's weights are stored. `bits` 16 or 32 means not quantized."""

    kind: str = "unknown"
    bits: float | None = None
    group_size: int | None = None
    per_channel: bool = False
    kv_cache: str | None = None
    calibration: str | None = None


@dataclass(frozen=True, slots=True)
class Definition:
    """What a signal counts, in bin order. Its `digest` names the series: a changed definition is a new one.

    `cells` are the names of the counts of one event population; exactly one cell is counted per event,
    except for hindsight signals (`horizon` > 0), which count `served` at once and an outcome later.
    `yes` are the cells that mean harm (or the tested category), `no` those that mean its absence; every other
    cell is a missing reason. `grid` are the values in [-1, 1] or [0, 1] that score cells stand for.
    """

    signal: str
    family: str
    cells: tuple[str, ...]
    yes: tuple[str, ...] = ()
    no: tuple[str, ...] = ()
    unit: str = "events"
    horizon: float = 0.0
    grid: tuple[float, ...] = ()
    version: int = 1
    artefact: str = ""
    digest: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class FactKey:
    """The key under which sealed counts lie. `bucket` is floor(event time / width) of the deployment."""

    deployment: str
    variant: str
    slice: str
    signal: str
    definition: str
    population: Population
    level: float
    bucket: int


@dataclass(frozen=True, slots=True)
class Interval:
    """An estimate with its time-uniform bounds; `None` bounds mean nothing is known yet."""

    estimate: float | None
    lower: float | None
    upper: float | None


@dataclass(frozen=True, slots=True)
class Contribution:
    """How many points one cause contributes to a change, with simultaneous bounds.

    `share` is its part of the total, only where the total's own bounds exclude zero.
    """

    cause: str
    interval: Interval
    named: bool
    share: float | None = None


@dataclass(frozen=True, slots=True)
class Blame:
    """`cause` is quantization, serving, traffic, load or undetermined; `missing` says what would settle it.

    `total` is the whole change that the contributions add up to, where it could be split.
    """

    cause: str
    contributions: tuple[Contribution, ...] = ()
    missing: tuple[str, ...] = ()
    noise_floor: float | None = None
    total: Interval | None = None


@dataclass(frozen=True, slots=True)
class Check:
    """One gating question at one look: is the harm of this signal on this slice within its tolerance?

    `log_evidence` is the natural log of the e-value against "harm <= tolerance"; `threshold` is the log at
    which it fails; `log_all_clear` and `clear_threshold` are the same against "harm >= tolerance".
    """

    deployment: str
    variant: str
    slice: str
    signal: str
    direction: str
    decision: Decision
    pairs: int
    excluded: int
    harm: Interval
    latest: Interval
    tolerance: float
    log_evidence: float
    threshold: float
    log_all_clear: float
    clear_threshold: float
    since: float | None
    needs_pairs: int | None
    needs_seconds: float | None
    reason: str
    blame: Blame | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that got worse: a failed check, a late change of a gating signal, or a ticket from a live rate.

    `kind` is `fail`, `change` (both page) or `ticket`. `against` says what it is worse than: `reference` (pairs),
    `control` (the build beside it) or `past`.
    """

    kind: Literal["fail", "change", "ticket"]
    deployment: str
    variant: str
    slice: str
    signal: str
    direction: str
    harm: Interval
    since: float | None
    log_evidence: float
    threshold: float
    units: int
    blame: Blame | None
    sentence: str
    against: Literal["reference", "control", "past"] = "reference"


@dataclass(frozen=True, slots=True)
class Recommendation:
    """What to do: keep, hold, roll_back (`to` names the build), route_slice or tighten_decoding."""

    action: Literal["keep", "hold", "roll_back", "route_slice", "tighten_decoding"]
    reason: str
    to: str | None = None
    proven: bool = False
    slices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Verdict:
    """The answer about one variant at one look; always has all keys. Times are seconds since the epoch."""

    deployment: str
    variant: str
    decision: Decision
    reason: str
    recommendation: Recommendation
    as_of: float
    sealed_until: float | None
    stale: bool
    coverage: dict[str, float | int | None]
    checks: tuple[Check, ...]
    findings: tuple[Finding, ...]
    uncovered: tuple[str, ...]
    worst: tuple[str, ...]
    plan: str
    unwatched: tuple[str, ...] = ()
    seal: str = ""
