"""Words to numbers, numbers to thresholds, thresholds to lines."""

from __future__ import annotations

import math

import pytest

from monitor.errors import PlanError
from monitor.evidence.budget import YEAR, lines, per_second, spend, variant_share
from monitor.plan import BudgetRule


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("1 per quarter", 4 / YEAR),
        ("2 per month", 24 / YEAR),
        ("1 per week", 1 / 604_800),
        ("0.5 per day", 0.5 / 86_400),
        ("3 per year", 3 / YEAR),
        (" 1  per hour ", 1 / 3600),
    ],
)
def test_words_become_events_a_second(words: str, expected: float) -> None:
    assert per_second(words) == pytest.approx(expected)


@pytest.mark.parametrize("words", ["", "one per week", "1 per fortnight", "0 per day", "-1 per day", "1/week"])
def test_other_words_are_refused_with_what_is_allowed(words: str) -> None:
    with pytest.raises(PlanError, match="hour, day, week, month, quarter, year"):
        per_second(words)


def test_wrong_fail_is_spent_once_over_checks_and_all_variants() -> None:
    rule = BudgetRule(wrong_fail=0.01)
    total = sum(12 * spend(rule, checks=12, tickets=0, variant=v).fail_alpha for v in range(1, 5000))
    assert total <= 0.01
    assert total == pytest.approx(0.01, rel=1e-3)
    assert variant_share(1) == pytest.approx(6 / math.pi**2)


def test_a_promise_to_each_variant_is_split_over_checks_only() -> None:
    numbers = spend(BudgetRule(wrong_fail=0.01, wrong_pass=0.05), checks=10, tickets=0)
    assert numbers.fail_alpha == pytest.approx(0.001)
    assert numbers.fail_threshold == pytest.approx(math.log(1000))
    assert numbers.pass_alpha == 0.05
    assert numbers.clear_threshold == pytest.approx(math.log(20))


def test_detectors_share_a_rate_of_false_alarms() -> None:
    numbers = spend(BudgetRule(false_pages="1 per day", tickets="1 per week"), checks=5, tickets=3)
    assert numbers.page_level(60.0) == pytest.approx(math.log(5 * 1440))
    alpha, seconds = numbers.ticket_promise
    assert alpha == pytest.approx(0.95 * 0.05)
    assert seconds == pytest.approx(0.05 * 3 * 604_800)


@pytest.mark.parametrize("detectors", [1, 7, 20, 3_000])
def test_live_detectors_that_start_anew_spend_no_more_than_their_budget(detectors: int) -> None:
    numbers = spend(BudgetRule(tickets="2 per week"), checks=1, tickets=detectors)
    alpha, seconds = numbers.ticket_promise
    assert detectors * alpha / (1 - alpha) <= seconds * 2 / 604_800


def test_the_line_about_tickets_says_whose_traffic_it_means() -> None:
    rule = BudgetRule(tickets="1 per week")
    assert lines(rule, spend(rule, checks=1, tickets=100), 60.0)[-1] == (
        "false tickets: at most 1 per week expected at the traffic of the period before the deploy; each of 100 "
        "detectors alarms falsely within 7 days of it with probability at most 0.95%"
    )


@pytest.mark.parametrize("rule", [BudgetRule(wrong_fail=0.0), BudgetRule(wrong_pass=1.0)])
def test_a_probability_must_be_one(rule: BudgetRule) -> None:
    with pytest.raises(PlanError, match="probability"):
        spend(rule, checks=1, tickets=1)


def test_the_printed_lines_say_promise_and_bar() -> None:
    rule = BudgetRule()
    printed = lines(rule, spend(rule, checks=12, tickets=0, variant=3), 60.0)
    assert printed == (
        "wrong fail: at most 1.00% for all variants still to come together; over 12 checks and for variant "
        "number 3 (share 6.8%) a check fails at e >= 17,765 (log 9.79)",
        "wrong pass: at most 5.00%, unsplit, as a pass needs every check to be clear: e >= 20 (log 3.00) on "
        "both anchors",
        "false pages: at most 1 per quarter expected; each of 12 detectors waits 1,096 days on average "
        "(M >= 1,577,880 blocks of 60 s)",
        "false tickets: none possible, as nothing of this kind is watched",
    )
