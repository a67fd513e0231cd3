"""A first plan is right as it stands, takes all of its log, and becomes a whole plan by filling in its blanks."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import cycle

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from monitor.dialects.mapping import MappingRule
from monitor.model import QuantFormat
from monitor.plan import DeploymentRule, Plan
from monitor.survey.extract import trial
from monitor.survey.survey import extract_of, survey
from services.firstplan.write import first_plan
from services.planfile import parse_plan
from tests.support.events import START, TOOLS, Json, feedback, line, random_log, request
from tests.support.own_log import BUILD, CITY, cities, city
from tests.unit.survey.conftest import OPEN, run_of

NAMES = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=256) | (
    st.sampled_from(
        ["yes", "~", "<<", "a: b", "x\n# y", "- a", "'\"{", "😀" * 256, "\x07\u2028" * 100, "FILL IN", "all"]
    )
)


def written(records: Sequence[Json | bytes], given: Plan = OPEN) -> str:
    """The first plan of a log, of whose own plan only the mapping counts."""
    run = run_of(records)
    extract = extract_of([run], given, len(records))
    return first_plan(extract, ["log.jsonl"], given.input.mapping, survey(extract, [run], given).doubts)


def refused(records: Sequence[Json | bytes], plan: Plan) -> list[str]:
    """Why lines of the log are not taken under a plan."""
    return [problem.reason for problem in trial([run_of(records)], plan).problems]


def filled(text: str) -> str:
    """The plan with every blank taken as it stands: each commented line that is YAML loses its `#`."""
    return re.sub(r"^( *)# ( *- \{.*| *[\w-]+:(?: .*)?)$", r"\1\2", text, flags=re.MULTILINE)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(NAMES, min_size=1, max_size=3, unique=True),
    st.lists(NAMES, min_size=1, max_size=3, unique=True),
    st.dictionaries(NAMES, st.lists(NAMES, min_size=2, max_size=3, unique=True), max_size=2),
    NAMES,
)
def test_whatever_things_are_called_the_plan_is_right_and_takes_them(
    deployments: list[str], variants: list[str], tags: dict[str, list[str]], schema: str
) -> None:
    form = {"type": "json_schema", "json_schema": {"name": schema, "schema": CITY}}
    turns = {tag: cycle(values) for tag, values in tags.items()}
    owners = dict(zip(variants, cycle(deployments), strict=False))
    records = [
        request(f"r{n}", START + n, deployment=owners[variant], variant=variant, response_format=form)
        | {"tags": {tag: next(values) for tag, values in turns.items()}, "tools": TOOLS}
        for n, variant in zip(range(24), cycle(variants), strict=False)
    ]
    plan = parse_plan(written(records))

    assert {(d, v) for d, rule in plan.deployments.items() for v in rule.variants} == {
        (d, v) for v, d in owners.items()
    }
    assert refused(records, plan) == []
    values = [value for rule in plan.deployments.values() for one in rule.slices for value in one.where.tags.items()]
    assert all(value in tags[tag] for tag, value in values)


def test_a_random_log_is_taken_as_far_as_it_can_be() -> None:
    log = random_log(11, 500)
    plan = parse_plan(written(log))

    assert set(plan.deployments) == {"shop", "bot", "nowhere"}
    assert set(plan.deployments["shop"].variants) == {"shop-fp16", "shop-int4", "shop-int8", "nobody"}
    assert plan.deployments["nowhere"].variants == {}, "its builds' names are taken by the busier deployment"
    assert {"unknown_variant", "unknown_deployment", "late"} & set(refused(log, plan)) <= {"late"}


def test_it_names_the_build_and_guesses_its_format_as_a_guess() -> None:
    text = written(cities(400))
    plan = parse_plan(text)

    assert plan.deployments["default"].variants[BUILD].format == QuantFormat(), "a guess decides nothing"
    assert re.search(
        r"^ +# format: \{kind: weight-only, bits: 4, group_size: 128\}  # FILL IN: a guess.*awq$", text, re.M
    )
    assert "schema c (" in text
    assert "100 % of the requests; 5.2 % of the outputs break it now" in text


def test_what_it_leaves_to_a_person_are_the_defaults() -> None:
    rule = parse_plan(written(cities(400))).deployments["default"]
    usual = DeploymentRule()

    assert rule.reference is None
    assert (rule.bucket, rule.lateness) == ("1m", "10m")
    assert rule.budget == usual.budget
    assert rule.shadow == usual.shadow
    assert all(signal.tolerance == 0.02 for signal in rule.signals.values())
    assert set(rule.signals) == {"schema", "refusal"}


def test_its_blanks_filled_in_as_they_stand_make_a_whole_plan() -> None:
    plan = parse_plan(filled(written(cities(400))))
    rule = plan.deployments["default"]

    assert rule.reference == "full-precision-build"
    assert set(rule.variants) == {BUILD, "full-precision-build"}
    assert rule.variants[BUILD].format == QuantFormat("weight-only", 4, 128)
    arm = rule.variants["full-precision-build"].arm
    assert arm is not None
    assert arm.backend == "openai"
    assert set(rule.signals) == {"schema", "tool_call", "refusal", "score"}
    assert plan.webhooks[0].secret_env == "QUANTWATCH_WEBHOOK_SECRET"
    assert plan.input.mapping.conversation == "$.path.to.conversation"
    assert plan.input.mapping.timings.total == "$.path.to.total"
    assert rule.shadow.per_hour == 100


def test_blanks_of_a_native_log_can_be_filled_in_too() -> None:
    records = [
        request(
            f"r{n}", START + n, variant="shop-int4" if n % 2 else "shop-bf16", tags={"route": f"{n % 3}"}, tools=TOOLS
        )
        for n in range(60)
    ]
    text = written([*records, feedback("f", "r1", START + 60)])
    rule = parse_plan(filled(text)).deployments["shop"]

    assert rule.reference == "shop-bf16", "the build whose name says full precision"
    assert "# reference: shop-bf16  # a guess: its name says bf16" in text
    assert rule.joins.share == 0.1
    assert [one.name for one in rule.slices] == ["route=0", "route=1", "route=2"]
    assert "input:" not in text


def test_builds_of_a_name_too_many_are_not_named() -> None:
    records = [request(f"r{n}", START + n, variant=f"build-{n}") for n in range(60)]
    text = written(records)

    assert "60 builds, too many to be builds" in text
    assert refused(records, parse_plan(text)) == []


def test_a_mapping_that_was_given_stays() -> None:
    rule = {
        "conversation": "$.chat",
        "variant": ["$.build", {"constant": "acme"}],
        "tags": {"route": "headers.x-route"},
    }
    given = parse_plan(msgspec.json.encode({"input": {"mapping": rule}}).decode())
    records = [city(n, chat=f"c{n // 3}", headers={"X-Route": "a" if n % 2 else "b"}) for n in range(60)]
    text = written(records, given)

    assert parse_plan(text).input == given.input
    assert parse_plan(filled(text)).input.mapping.conversation == "$.chat"
    assert refused(records, parse_plan(text)) == []
    assert "100 % of the requests name a conversation" in text
    assert "route=a" in text


def test_the_defaults_of_a_mapping_are_not_repeated() -> None:
    assert parse_plan(written(cities(40))).input.mapping == MappingRule()


def test_requests_that_cannot_be_replayed_are_pointed_out() -> None:
    records = [request(f"r{n}", START + n, sampling={"temperature": 0.7 if n % 4 else 0}) for n in range(40)]

    assert "Of this log 25.0 % of the requests can be replayed; not: 75.0 % sampled at a temperature above zero." in (
        written(records)
    )


@pytest.mark.parametrize("doubt", ["two builds", "copies"])
def test_doubts_stand_at_the_top(doubt: str) -> None:
    records = [request(f"r{n}", START + n, tags={"build": f"{n % 2}"}) for n in range(40)] * 2
    said = {"two builds": "seems to be 2 builds under one name", "copies": "40 of 80 lines are copies"}

    assert said[doubt] in " ".join(written(records).split("version: 1")[0].replace("#", "").split())


def test_no_prompt_and_no_answer_is_in_it() -> None:
    marker = "xyzzy-marker"
    said: Json = {"messages": [{"role": "user", "content": marker}], "output": {"text": marker}}

    assert marker not in written([line(request(f"r{n}", START + n, **said)) for n in range(20)])
