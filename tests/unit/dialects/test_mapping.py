"""A mapping is checked when the plan is read: line, key, and what is allowed there."""

from __future__ import annotations

import json

import pytest

from monitor.dialects.mapping import parse_path
from monitor.errors import PlanError
from monitor.plan import Plan
from services.planfile import parse_plan
from tests.support.events import Json, plan

FORM = '`$.a.b` (the line), `request.a`, `response.a` or `headers.a`, with `[0]` and `["a.b"]` as steps too'


@pytest.mark.parametrize(
    ("mapping", "line", "said"),
    [
        ("time: meta.ts", 3, f"`time`: `meta.ts` is no path; allowed: {FORM}"),
        ("time: $", 3, f"`time`: `$` is no path; allowed: {FORM}"),
        ("time: $.a[-1]", 3, f"`time`: `$.a[-1]` is no path; allowed: {FORM}"),
        ("time: $..a", 3, f"`time`: `$..a` is no path; allowed: {FORM}"),
        ("time: 5", 3, "`time`: Expected `str | object | array`, got `int`"),
        ("tiem: $.ts", 3, "unknown key `tiem`; allowed here: request, response, headers, id, time, "),
        ("timings: {first: $.a}", 3, "unknown key `first`; allowed here: queue, first_token, total"),
        ("timings:\n      queue: a", 4, "`queue`: `a` is no path; "),
        ("time: {pth: $.a}", 3, "unknown key `pth`; allowed here: path, constant, file, unit"),
        ("time:\n      - $.a\n      - {pth: $.b}", 5, "unknown key `pth`; allowed here: path, constant, file, unit"),
        ("time: {path: $.a, unit: h}", 3, "`unit`: Invalid enum value 'h'; allowed: s, ms, us, ns"),
        ("time:\n      - $.a\n      - b", 5, "`time`: `b` is no path; "),
        ("user: {path: $.a, unit: s}", 3, "`user`: `unit` is allowed at times and timings only"),
        ("user: {unit: s}", 3, "`user`: a place has exactly one of path, constant and file"),
        ("user: {path: $.a, constant: b}", 3, "`user`: a place has exactly one of path, constant and file"),
        ("user: {constant: ''}", 3, "`user`: `constant` is a text that is not empty"),
        ("user: headers.a.b", 3, "`user`: `headers.` takes one header's name, such as `headers.x-conversation-id`"),
        (
            "request: request.body",
            3,
            "`request`: where the request stands is a path from the line, such as `$.request`",
        ),
        ("variant: {file: 'x('}", 3, "`variant`: `file` is no regular expression (RE2)"),
        ("variant: {file: x}", 3, "`variant`: `file` needs exactly one group, such as `^(.+)-[0-9]+\\.jsonl$`"),
        ("tags: {route: route}", 3, "`route`: `route` is no path; "),
        ("tags: [$.a]", 3, "`tags`: Expected `object`, got `array`"),
    ],
)
def test_a_wrong_mapping_is_refused_with_its_line(mapping: str, line: int, said: str) -> None:
    with pytest.raises(PlanError) as refused:
        parse_plan(f"input:\n  mapping:\n    {mapping}\n")

    assert refused.value.line == line
    assert str(refused.value).startswith(said), str(refused.value)


def test_a_tag_may_have_any_name_and_any_place() -> None:
    tags = {"request": "request.metadata.route", "time": "headers.x-time", "a b": '$["c.d"][0]'}

    assert parse_plan(json.dumps({"input": {"mapping": {"tags": tags}}})).input.mapping.tags == tags


@pytest.mark.parametrize(
    ("path", "root", "steps"),
    [
        ("$.meta.ts", "$", ("meta", "ts")),
        ("request.user", "request", ("user",)),
        ("headers.x-conversation-id", "headers", ("x-conversation-id",)),
        ('$["gen_ai.request"].choices[0].x', "$", ("gen_ai.request", "choices", 0, "x")),
        ("response[10]", "response", (10,)),
    ],
)
def test_a_path_is_a_root_and_steps(path: str, root: str, steps: tuple[str | int, ...]) -> None:
    assert parse_path(path) == (root, steps)


def test_a_plan_without_input_keeps_the_name_that_it_had_before_there_was_one() -> None:
    assert Plan().digest == "8d52d91b8a80a0f5"
    assert parse_plan("input: {mapping: {}}").digest == Plan().digest
    assert parse_plan("input: {mapping: {time: [$.time, $.timestamp, response.created]}}").digest == Plan().digest


def test_a_mapping_belongs_to_the_name_of_a_plan() -> None:
    def name(mapping: Json) -> str:
        return parse_plan(json.dumps({"input": {"mapping": mapping}})).digest

    assert len({Plan().digest, name({"time": "$.ts"}), name({"time": "$.t"}), name({"user": {"constant": "x"}})}) == 4


def test_a_request_of_no_deployment_is_at_home_where_its_variant_is() -> None:
    assert Plan().home("any") == "default"
    assert plan().home("shop-int4") == "shop"
    assert plan().home("bot-a") == "bot"
    assert plan().home("stranger") is None
    assert plan(bot=False).home("stranger") == "shop", "there is no other"
