"""Error budgets: words of the plan into numbers, and the numbers back into lines a person can check.

* wrong fail: alpha over C gating checks and, where asked, over variants still to come,

      alpha_{check, v} = wrong_fail / C x 6 / (pi^2 v^2),     v = 1, 2, ... in order of deploy.

  The union bound needs no independence: sum over checks and all variants is wrong_fail. Condition: C is fixed
  while a plan holds; a plan that adds checks is a new plan with a budget of its own.
* wrong pass: each check is held against the whole wrong_pass. A pass needs every check to be clear, so a wrong
  one is contained in the wrong clearing of whichever check is truly harmful (intersection-union test).
* false pages: an expected number in a time. Each of C detectors gets C times the patience; expected false alarms add
  up without independence (see `detector`).
  Evidence against a concurrent control pages too, and its detectors are counted among the C.
* false tickets: an expected number in a time S at the pace of the baseline's traffic. With D live detectors, each
  alarms within the units of a time T with probability at most alpha, where

      alpha = 0.95 min(1/D, 1/20),    T = S D min(1/D, 1/20),

  so that D detectors, each starting anew after an alarm, alarm at most D alpha / (1 - alpha) <= T / S times within T
  on average: once in S (see `cusum`). Where the plan lets evidence against the past page, these D are counted among
  the C detectors that page, and S is their part of that budget: page seconds x C / D.

Sources: Berger, "Multiparameter hypothesis testing and acceptance sampling", Technometrics 24 (1982), theorem 1
(intersection-union); Bonferroni; sum 1/v^2 = pi^2 / 6.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from monitor.errors import PlanError
from monitor.evidence.detector import log_patience
from monitor.plan import BudgetRule

DAY = 86_400.0
YEAR = 365.25 * DAY
PERIODS = {"hour": 3600.0, "day": DAY, "week": 7 * DAY, "month": YEAR / 12, "quarter": YEAR / 4, "year": YEAR}
MOST_ALPHA, SPENT = 0.05, 0.95
_WORDS = re.compile(r"\s*(\d+(?:\.\d+)?)\s+per\s+([a-z]+)\s*")


def per_second(words: str) -> float:
    """Expected events a second of `1 per quarter`, `0.5 per week`; PlanError with what is allowed otherwise."""
    match = _WORDS.fullmatch(words)
    if match is None or match[2] not in PERIODS or float(match[1]) <= 0:
        raise PlanError(f"{words!r} is no budget; write a number above 0, per, and one of {', '.join(PERIODS)}")
    return float(match[1]) / PERIODS[match[2]]


@dataclass(frozen=True, slots=True)
class ErrorNumbers:
    """What the evidence is held against.

    `fail_alpha` and `pass_alpha` are per check; `page_seconds` and `ticket_seconds` are seconds between false
    alarms of all detectors together (`detector.log_patience` splits them). `pages` are all detectors that page.
    """

    checks: int
    pages: int
    tickets: int
    variant: int | None
    fail_alpha: float
    pass_alpha: float
    page_seconds: float
    ticket_seconds: float

    @property
    def fail_threshold(self) -> float:
        """log(1 / fail_alpha)."""
        return -math.log(self.fail_alpha)

    @property
    def clear_threshold(self) -> float:
        """log(1 / pass_alpha)."""
        return -math.log(self.pass_alpha)

    def page_level(self, block_seconds: float) -> float:
        """The log level of one paired change detector over blocks of this length."""
        return log_patience(self.page_seconds, block_seconds, self.pages)

    @property
    def ticket_promise(self) -> tuple[float, float]:
        """Of one live detector: the chance of a false alarm, and the seconds of baseline traffic it is promised for."""
        share = min(1.0 / max(self.tickets, 1), MOST_ALPHA)
        return SPENT * share, self.ticket_seconds * max(self.tickets, 1) * share


def variant_share(variant: int | None) -> float:
    """The share of the wrong-fail budget of the v-th variant (from 1); all of it where the promise is per variant."""
    return 1.0 if variant is None else 6.0 / (math.pi * variant) ** 2


def spend(
    rule: BudgetRule, *, checks: int, tickets: int, controls: int = 0, gates: int = 0, variant: int | None = None
) -> ErrorNumbers:
    """The numbers for one variant.

    `checks` are all gating checks (slice x signal x direction) that may fail or page in this deployment; with
    several variants served at once, count each one's. `tickets` are the live checks, likewise, and `controls` those
    against a concurrent control, of which `gates` may fail a variant. `variant` is the
    ordinal in order of deploy for a promise over all variants still to come, None for a promise to each variant.
    PlanError where a probability is not in (0, 1).
    """
    for name, value in (("wrong_fail", rule.wrong_fail), ("wrong_pass", rule.wrong_pass)):
        if not 0.0 < value < 1.0:
            raise PlanError(f"{name} is a probability above 0 and below 1", key=name)
    loud = tickets if rule.past == "page" else 0
    pages, page_seconds = checks + controls + loud, 1.0 / per_second(rule.false_pages)
    return ErrorNumbers(
        checks + gates,
        pages,
        tickets,
        variant,
        rule.wrong_fail / max(checks + gates, 1) * variant_share(variant),
        rule.wrong_pass,
        page_seconds,
        page_seconds * pages / loud if loud else 1.0 / per_second(rule.tickets),
    )


def lines(rule: BudgetRule, numbers: ErrorNumbers, block_seconds: float) -> tuple[str, ...]:
    """What `plan check` prints: each promise, and the bar it becomes. `block_seconds` is the block's length."""
    whom = "each variant" if numbers.variant is None else "all variants still to come together"
    fail, clear = 1.0 / numbers.fail_alpha, 1.0 / numbers.pass_alpha
    return (
        f"wrong fail: at most {rule.wrong_fail:.2%} for {whom}; over {numbers.checks} checks"
        f"{_ordinal(numbers.variant)} a check fails at e >= {fail:,.0f} (log {numbers.fail_threshold:.2f})",
        f"wrong pass: at most {rule.wrong_pass:.2%}, unsplit, as a pass needs every check to be clear: "
        f"e >= {clear:,.0f} (log {numbers.clear_threshold:.2f}) on both anchors",
        _patience("false pages", rule.false_pages, numbers.page_seconds, numbers.pages, block_seconds),
        _tickets(rule, numbers),
    )


def _ordinal(variant: int | None) -> str:
    return "" if variant is None else f" and for variant number {variant} (share {variant_share(variant):.1%})"


def _tickets(rule: BudgetRule, numbers: ErrorNumbers) -> str:
    if not numbers.tickets:
        return "false tickets: none possible, as nothing of this kind is watched"
    alpha, seconds = numbers.ticket_promise
    if rule.past == "page":
        return (
            f"pages against the past, under the declared swing: among those false pages, at the traffic of the "
            f"period before the deploy; each of {numbers.tickets} detectors alarms falsely within "
            f"{seconds / DAY:,.0f} days of it with probability at most {alpha:.2%}"
        )
    return (
        f"false tickets: at most {rule.tickets} expected at the traffic of the period before the deploy; each of "
        f"{numbers.tickets} detectors alarms falsely within {seconds / DAY:,.0f} days of it with probability at most "
        f"{alpha:.2%}"
    )


def _patience(name: str, words: str, seconds: float, detectors: int, block: float) -> str:
    if not detectors:
        return f"{name}: none possible, as nothing of this kind is watched"
    each = seconds * detectors
    return (
        f"{name}: at most {words} expected; each of {detectors} detectors waits {each / DAY:,.0f} days "
        f"on average (M >= {each / block:,.0f} blocks of {block:g} s)"
    )
