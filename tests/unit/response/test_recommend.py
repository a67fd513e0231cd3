"""What is recommended, rule by rule."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from monitor.model import Check, Decision, Finding
from monitor.response.recommend import Candidate, recommend

Make = Callable[..., Finding]
MakeCheck = Callable[[str, str, Decision], Check]
PASS, HOLD, FAIL = Decision.PASS, Decision.HOLD, Decision.FAIL
INT8 = Candidate("int8", 0.6, PASS, last_served=50.0)
BF16 = Candidate("bf16", 1.0, None, is_reference=True)
BUILDS = [Candidate("int4", 0.4, FAIL, last_served=99.0), INT8, BF16]
PARTS = ("json", "tools", "long", "german")


def advice(
    findings: Sequence[Finding], checks: Sequence[Check], builds: Sequence[Candidate] = BUILDS
) -> tuple[str, ...]:
    said = recommend(FAIL, findings, checks, builds, "int4", PARTS)
    assert said.reason
    return (said.action, *said.slices)


def test_pass_keeps_and_hold_holds() -> None:
    assert recommend(PASS, (), (), BUILDS).action == "keep"
    assert recommend(HOLD, (), (), BUILDS).action == "hold"


def test_a_fail_on_all_rolls_back(finding: Make) -> None:
    assert advice([finding(slice="all")], []) == ("roll_back",)


def test_a_fail_on_more_than_half_of_the_slices_rolls_back(finding: Make) -> None:
    assert advice([finding(slice=part) for part in PARTS[:3]], []) == ("roll_back",)


def test_only_structure_tightens_decoding_where_it_failed(finding: Make) -> None:
    found = [finding(slice="json"), finding(slice="tools", signal="tool_call")]
    assert advice(found, []) == ("tighten_decoding", "json", "tools")
    assert advice([finding(signal="pattern:iban")], []) == ("tighten_decoding", "json")


def test_a_failed_score_in_the_slice_routes_it_where_the_others_pass(finding: Make, check: MakeCheck) -> None:
    found = [finding(), finding(signal="score")]
    passing = [check(part, "score", PASS) for part in PARTS[1:]]
    said = recommend(FAIL, found, passing, BUILDS, "int4", PARTS)
    assert (said.action, said.slices, said.to, said.proven) == ("route_slice", ("json",), "int8", True)
    assert "german, long, tools" in said.reason


def test_undecided_other_slices_roll_back(finding: Make, check: MakeCheck) -> None:
    checks = [check("tools", "score", PASS), check("long", "score", HOLD), check("german", "score", PASS)]
    assert advice([finding(signal="score")], checks) == ("roll_back",)


def test_a_failed_check_counts_without_a_finding(check: MakeCheck) -> None:
    assert advice([], [check("all", "schema", FAIL)]) == ("roll_back",)


@pytest.mark.parametrize(
    ("builds", "to", "proven", "why"),
    [
        (BUILDS, "int8", True, "the cheapest whose last verdict is pass"),
        ([*BUILDS, Candidate("fp8", 0.5, PASS)], "fp8", True, "cheaper, and proven too"),
        ([Candidate("int8", 0.6, HOLD, last_served=50.0), BF16], "int8", False, "the previous one, unproven"),
        ([Candidate("int8", 0.6, FAIL, last_served=50.0), BF16], "bf16", False, "the previous one failed: reference"),
        ([Candidate("int4", 0.4, PASS, last_served=99.0), BF16], "bf16", False, "never to itself"),
        ([], None, False, "nothing to go back to"),
    ],
)
def test_where_to_roll_back(builds: list[Candidate], to: str | None, proven: bool, why: str, finding: Make) -> None:
    said = recommend(FAIL, [finding(slice="all")], (), builds, "int4")
    assert (said.action, said.to, said.proven) == ("roll_back", to, proven), why


def test_decoding_is_not_tightened_while_a_score_of_the_slice_is_undecided(finding: Make, check: MakeCheck) -> None:
    undecided = [check("json", "score", HOLD)]
    assert advice([finding(signal="schema")], undecided)[0] != "tighten_decoding"
