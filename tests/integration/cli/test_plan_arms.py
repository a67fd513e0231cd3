"""An arm of a plan that cannot be meant so is refused with its line, its key, and what is allowed there."""

from __future__ import annotations

import pytest

from monitor.errors import PlanError
from monitor.plan import ArmRule, PriceRule
from services.planfile import parse_plan

HEAD = "deployments:\n  shop:\n    variants:\n      a:\n        arm:\n"
OPENAI = {"backend": "openai", "url": "http://localhost:8000/v1", "model": "small"}


def written(**keys: str) -> str:
    return HEAD + "".join(f"          {key}: {value}\n" for key, value in keys.items())


def test_a_whole_arm_behind_a_server() -> None:
    limits = {"timeout": "45s", "concurrency": "8", "tokens_per_day": "2000000", "money_per_day": "5"}
    prices = {"price_per_million": "{input: 0.15, output: 0.6}"}
    plan = parse_plan(written(**OPENAI, token_env="SHOP_TOKEN", **limits, **prices))
    assert plan.deployments["shop"].variants["a"].arm == ArmRule(
        backend="openai",
        url="http://localhost:8000/v1",
        model="small",
        token_env="SHOP_TOKEN",
        timeout="45s",
        concurrency=8,
        tokens_per_day=2_000_000,
        price_per_million=PriceRule(0.15, 0.6),
        money_per_day=5.0,
    )


@pytest.mark.parametrize("backend", ["transformers", "recorded"])
def test_other_backends_need_nothing_of_it(backend: str) -> None:
    parse_plan(written(backend=backend, model="somewhere"))


@pytest.mark.parametrize(
    ("keys", "line", "said"),
    [
        ({"backend": "vllm"}, 6, "Invalid enum value 'vllm'; allowed: transformers, openai, recorded"),
        ({"backend": "openai", "model": "m"}, 5, "`url` is needed: where the engine's OpenAI API begins, such as"),
        ({"backend": "openai", "url": "http://x/v1"}, 5, "`model` is needed"),
        (OPENAI | {"url": "localhost:8000"}, 7, "must be an address with http or https"),
        (OPENAI | {"url": "http://x:99999/v1"}, 7, "must be an address with http or https"),
        (OPENAI | {"url": "http://x/v1/chat/completions"}, 7, "must end before /chat/completions"),
        (OPENAI | {"timeout": "soon"}, 9, "`timeout`: 'soon' is no duration"),
        (OPENAI | {"timeout": "0s"}, 9, "`timeout` must lie above 0s and be at most 10m"),
        (OPENAI | {"timeout": "1h"}, 9, "`timeout` must lie above 0s and be at most 10m"),
        (OPENAI | {"concurrency": "0"}, 9, "`concurrency` must lie from 1 to 256"),
        (OPENAI | {"tokens_per_day": "0"}, 9, "`tokens_per_day` must be at least 1"),
        (OPENAI | {"money_per_day": "3"}, 9, "`money_per_day` needs `price_per_million`"),
        (OPENAI | {"price_per_million": "{input: -1}"}, 9, "`input` is a price, from 0 on"),
        (OPENAI | {"price_per_million": "{in: 1}"}, 9, "unknown key `in`; allowed here: input, output"),
        (OPENAI | {"dtype": "bfloat16"}, 9, "`dtype` is for the backend transformers, not openai"),
        (OPENAI | {"same_build": "true"}, 9, "`same_build` is for the backend transformers, not openai"),
        ({"model": "m", "url": "http://x/v1"}, 7, "`url` is for the backend openai, not transformers"),
        ({"backend": "recorded", "model": "m", "tokens_per_day": "3"}, 8, "`tokens_per_day` is for the backend openai"),
        (OPENAI | {"urll": "x"}, 9, "unknown key `urll`; allowed here: backend, model"),
    ],
    ids=str,
)
def test_what_cannot_be_meant(keys: dict[str, str], line: int, said: str) -> None:
    with pytest.raises(PlanError) as caught:
        parse_plan(written(**keys))
    assert said in str(caught.value)
    assert caught.value.line == line


@pytest.mark.parametrize(
    "keys",
    [
        OPENAI | {"token_env": "sk-planted"},
        OPENAI | {"url": "http://user:sk-planted@x/v1"},
        OPENAI | {"url": "'http://x/v1?key=sk-planted'"},
    ],
    ids=str,
)
def test_a_token_that_got_into_a_plan_is_not_repeated(keys: dict[str, str]) -> None:
    with pytest.raises(PlanError) as caught:
        parse_plan(written(**keys))
    assert "sk-planted" not in str(caught.value)
    assert "token" in str(caught.value)
