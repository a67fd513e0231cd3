"""How a log lies in time, and what fits a plan."""

from __future__ import annotations

import pytest

from monitor.plan import seconds
from monitor.survey.spacing import bucket, lateness, longest_answer, spacing

HOUR = 3_600_000


def test_the_pace_is_that_of_the_log_and_not_of_its_strays() -> None:
    steady = [n * 3_000 for n in range(1_000)]
    found = spacing([[*steady, 400 * HOUR]], 1_001)

    assert found is not None
    assert found.per_hour == pytest.approx(1_200, rel=0.02)
    assert (found.first, found.last) == (0, 400 * HOUR)


def test_stretches_of_a_longer_log_are_its_ends() -> None:
    found = spacing([[0, 1_000, 2_000], [], [HOUR, HOUR + 1_000]], 5_000)

    assert found is not None
    assert found.per_hour == pytest.approx(5_000, rel=0.01)


def test_lag_is_how_far_nearly_all_lines_lie_behind() -> None:
    found = spacing([[n * 1_000 - (20_000 if n % 10 == 0 else 0) for n in range(200)]], 200)

    assert found is not None
    assert found.lag == 19_000


def test_no_times_have_no_spacing_and_one_time_no_pace() -> None:
    assert spacing([[], []], 0) is None
    only = spacing([[5]], 1)
    assert only is not None
    assert only.per_hour is None


@pytest.mark.parametrize(("per_hour", "word"), [(None, "1m"), (1_200, "1m"), (1_199, "5m"), (80, "15m"), (1, "1h")])
def test_a_bucket_holds_twenty_requests(per_hour: float | None, word: str) -> None:
    assert bucket(per_hour) == word


@pytest.mark.parametrize(
    ("lag", "word"), [(0, "10m"), (300_000, "10m"), (300_001, "30m"), (HOUR, "3h"), (99 * HOUR, "1d")]
)
def test_lateness_is_twice_the_lag_and_never_less_than_the_default(lag: int, word: str) -> None:
    assert lateness(lag) == word
    assert seconds(word) >= 600


@pytest.mark.parametrize(
    ("tokens", "limit"), [([], 256), ([10] * 99 + [9_000], 256), ([300] * 10, 512), ([9_000] * 10, 4_096)]
)
def test_the_limit_of_a_replay_holds_nearly_all_answers(tokens: list[int], limit: int) -> None:
    assert longest_answer(tokens) == limit
