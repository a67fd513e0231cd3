"""What cannot be done is said in one line, with exit code 3."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nosuch"], "No such command 'nosuch'"),
        (["verdict"], "Missing argument 'VARIANT'"),
        (["ingest"], "Missing argument 'FILE...'"),
        (["ingest", "--nosuch", "x"], "No such option"),
        (["ingest", "none.jsonl", "--db", "sqlite:///x.db"], "none.jsonl: No such file or directory"),
        (["ingest", ".", "--db", "sqlite:///x.db"], ".: is a directory"),
        (["verdict", "nosuch", "--db", "sqlite:///x.db"], "nosuch"),
        (["verdict", "v", "--as-of", "soon", "--db", "sqlite:///x.db"], "--as-of 'soon' is no time"),
        (["plan", "check", "none.yaml"], "none.yaml: cannot be read: No such file or directory"),
        (["plan", "nosuch"], "No such command 'nosuch'"),
        (["facts", "--population", "nosuch", "--db", "sqlite:///x.db"], "'nosuch' is not one of"),
        (["facts", "--db", "sqlite:////nowhere/at/all.db"], "cannot open the database"),
        (["facts", "--db", "nonsense"], "database URL"),
        (["facts", "--db", "nosuch://x"], "database URL"),
        (["schema", "nosuch"], "'nosuch' is not one of"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_nonsense_is_refused_in_one_line(quantwatch, words: list[str], said: str) -> None:  # type: ignore[no-untyped-def]
    assert said in quantwatch(*words).refusal


def test_a_file_that_is_no_database_is_refused_in_one_line(quantwatch, folder: Path) -> None:  # type: ignore[no-untyped-def]
    (folder / "text.db").write_text("this is not a database, but it is longer than its header would be " * 30)
    assert "database" in quantwatch("facts", "--db", "sqlite:///text.db").refusal


WHOLE = """\
deployments:
  first:
    bucket: 1m
    variants: {a: {}}
    slices:
      - name: one
        where: {tags: {route: order}}
  shop:
    bucket: 30s
    reference: shop-fp16
    variants:
      shop-fp16: {}
      shop-int4:
        format: {bits: 4}
    slices:
      - name: orders
        where: {tags: {route: order}}
      - name: long
        where:
          prompt_tokens_from: 1000
    signals:
      schema: {tolerance: 0.02}
    patterns:
      - {name: digits, expression: "[0-9]+"}
    shadow:
      share: 0.1
      strata: {orders: 0.5}
    budget:
      false_pages: 1 per quarter
"""


@pytest.mark.parametrize(
    ("right", "wrong", "line", "named"),
    [
        ("deployments:", "deploymints:", 1, ["deploymints", "deployments"]),
        ("bucket: 30s", "bucket: 30", 9, ["bucket", "str"]),
        ("bucket: 30s", "bucket: soon", 9, ["bucket", "such as 10m"]),
        ("bucket: 30s", "bucket: 0s", 9, ["bucket", "longer"]),
        ("bucket: 30s", "bucket: 0.1ms", 9, ["bucket", "longer"]),
        ("bucket: 30s", "bucket: nans", 9, ["bucket"]),
        ("bucket: 30s", "bucket: infs", 9, ["bucket"]),
        ("bucket: 30s", "buckets: 30s", 9, ["buckets", "bucket, lateness"]),
        ("bucket: 30s", "unit_turns: []", 9, ["unit_turns"]),
        ("bucket: 30s", "unit_turns: [0, 0]", 9, ["unit_turns"]),
        ("bucket: 30s", "unit_turns: [1, -1]", 9, ["unit_turns"]),
        ("reference: shop-fp16", "reference: shop-fp32", 10, ["reference", "shop-fp16, shop-int4"]),
        ("shop-fp16: {}", "shop-int4: {}", 13, ["shop-int4", "twice"]),
        ("shop-fp16: {}", "a: {}\n      shop-fp16: {}", 12, ["a", "twice"]),
        ("{bits: 4}", "{bits: four}", 14, ["bits", "float"]),
        ("{bits: 4}", "{bitz: 4}", 14, ["bitz", "kind, bits, group_size"]),
        ("prompt_tokens_from: 1000", "prompt_tokens_from: many", 20, ["prompt_tokens_from", "int"]),
        ("prompt_tokens_from: 1000", "prompt_tokens: 1000", 20, ["prompt_tokens", "prompt_tokens_from"]),
        ("name: long", "name: orders", 18, ["orders", "twice"]),
        ("schema: {tolerance: 0.02}", "scheme: {tolerance: 0.02}", 22, ["scheme", "schema"]),
        ("schema: {tolerance: 0.02}", "schema: {tolerance: 2}", 22, ["tolerance", "below 1"]),
        ('"[0-9]+"', '"[0-9"', 24, ["digits", "RE2"]),
        ("share: 0.1", "share: 7", 26, ["share", "from 0 to 1"]),
        ("strata: {orders: 0.5}", "strata: {order: 0.5}", 27, ["order", "orders, long"]),
        ("strata: {orders: 0.5}", "strata: {orders: 5}", 27, ["orders", "from 0 to 1"]),
        ("1 per quarter", "1 per fortnight", 29, ["fortnight", "quarter"]),
        ("budget:", "joins: {share: 3}\n    budget:", 28, ["share", "from 0 to 1"]),
        ("budget:", "budget: {", 30, ["YAML"]),
    ],
)
def test_a_wrong_plan_is_refused_with_its_line_its_key_and_what_is_allowed(  # type: ignore[no-untyped-def]
    quantwatch, folder: Path, right: str, wrong: str, line: int, named: list[str]
) -> None:
    (folder / "plan.yaml").write_text(WHOLE.replace(right, wrong, 1) if right != "bucket: 30s" else _second(wrong))
    said = quantwatch("plan", "check", "plan.yaml").refusal
    assert said.startswith(f"plan.yaml:{line}: "), said
    for word in named:
        assert word in said


def _second(wrong: str) -> str:
    return WHOLE.replace("bucket: 30s", wrong)


@pytest.mark.parametrize("text", ["[]", "7", "deployments: []", "a: &a [*a]", "? [x]\n: 1", "!!python/object:os.x {}"])
def test_what_is_no_plan_at_all_is_refused_in_one_line(quantwatch, folder: Path, text: str) -> None:  # type: ignore[no-untyped-def]
    (folder / "plan.yaml").write_text(text)
    assert quantwatch("plan", "check", "plan.yaml").refusal.startswith("plan.yaml")


def test_a_right_plan_is_said_to_be_right_in_numbers(quantwatch, folder: Path) -> None:  # type: ignore[no-untyped-def]
    (folder / "plan.yaml").write_text(WHOLE)
    ran = quantwatch("plan", "check", "plan.yaml")
    assert (ran.code, ran.err) == (0, "")
    assert "wrong fail: at most 1.00%" in ran.out


def test_a_plan_that_is_no_text_is_refused(quantwatch, folder: Path) -> None:  # type: ignore[no-untyped-def]
    (folder / "plan.yaml").write_bytes(b"\xff\xfe")
    assert "not UTF-8" in quantwatch("plan", "check", "plan.yaml").refusal
