"""Who is to blame, and what is said to be missing."""

from __future__ import annotations

import numpy as np
import pytest

from monitor import blame as b
from monitor.errors import IntegrityError

NONE = np.zeros((3, 3, 3, 3), np.int64)


def joint(*cells: tuple[tuple[int, int, int, int], int]) -> np.ndarray:
    """Joint counts with these (logged, deployed, reference, second) cells filled."""
    table = NONE.copy()
    for place, n in cells:
        table[place] = n
    return table


QUANTIZATION = joint(((1, 1, 0, 0), 120), ((0, 0, 0, 0), 270), ((0, 0, 0, 1), 10))
SERVING = joint(((1, 0, 0, 2), 120), ((0, 0, 0, 2), 280))
BOTH = joint(((1, 1, 0, 2), 150), ((1, 0, 0, 2), 80), ((0, 0, 0, 2), 170))
REPLAYLESS = joint(((1, 2, 0, 2), 120), ((0, 2, 0, 2), 280))


@pytest.mark.parametrize(
    ("reason", "table", "cause", "named"),
    [
        ("deployed fails where the reference does not", QUANTIZATION, "quantization", {"quantization"}),
        ("what users got differs from the replay", SERVING, "serving", {"serving"}),
        ("of two, the larger is the main one", BOTH, "quantization", {"quantization", "serving"}),
        ("nothing was replayed on the deployed build", REPLAYLESS, "undetermined", set()),
        ("no pairs at all", NONE, "undetermined", set()),
    ],
)
def test_the_cause(reason: str, table: np.ndarray, cause: str, named: set[str]) -> None:
    answer = b.blame(b.from_joint(table), 0.05, 0.05)
    assert answer.cause == cause
    assert {c.cause for c in answer.contributions if c.named} == named


def test_contributions_add_up_to_the_harm() -> None:
    answer = b.blame(b.from_joint(BOTH), 0.05, 0.05)
    assert sum(c.interval.estimate for c in answer.contributions) == pytest.approx(230 / 400)


def test_what_is_missing_is_said() -> None:
    assert b.blame(b.from_joint(REPLAYLESS), 0.05, 0.05).missing == (b.NO_DEPLOYED, b.NO_BASELINE)
    few = b.blame(b.from_joint(joint(((1, 1, 0, 2), 1), ((0, 0, 0, 2), 5))), 0.05, 0.05, latency=True)
    assert few.missing == (b.NO_BASELINE, b.NO_LOAD, b.MORE_PAIRS)


def test_fewer_refusals_are_blamed_in_their_own_direction() -> None:
    table = joint(((0, 0, 1, 2), 120), ((1, 1, 1, 2), 280))
    assert b.blame(b.from_joint(table, "less"), 0.05, 0.05).cause == "quantization"
    assert b.blame(b.from_joint(table, "more"), 0.05, 0.05).cause == "undetermined"


def test_the_noise_floor_is_the_references_own_disagreement() -> None:
    assert b.blame(b.from_joint(QUANTIZATION), 0.05, 0.05).noise_floor == pytest.approx(10 / 400)
    assert b.blame(b.from_joint(SERVING), 0.05, 0.05).noise_floor is None


def test_scores_are_blamed_by_their_drop() -> None:
    nothing, drop, same = (np.zeros(33, np.int64) for _ in range(3))
    drop[8], drop[16], same[16], same[17] = 200, 100, 299, 1
    answer = b.blame(b.from_scores(drop, same, drop, nothing), 0.05, 0.05)
    assert answer.cause == "quantization"
    assert answer.contributions[1].interval.estimate == pytest.approx(200 * 0.5 / 300)
    assert b.blame(b.from_scores(drop, same, drop, same), 0.05, 0.05).noise_floor == pytest.approx(1 / 16 / 300)
    with pytest.raises(IntegrityError, match="grid"):
        b.from_scores(drop[:5], same, drop, nothing)


def test_traffic_is_blamed_when_the_reference_itself_moved() -> None:
    now = joint(((1, 1, 1, 2), 300), ((0, 0, 0, 2), 700))
    then = joint(((1, 1, 1, 2), 50), ((0, 0, 0, 2), 950))
    answer = b.blame(b.from_joint(now), 0.05, 0.05, periods=b.reference_periods(now, then))
    assert answer.cause == "traffic"
    shift = answer.contributions[2].interval
    assert shift.estimate == pytest.approx(0.25)
    assert 0.05 < shift.lower < 0.25 < shift.upper
    assert answer.missing == ()


def test_without_a_deployed_replay_traffic_needs_logged_and_reference_alike() -> None:
    then = joint(((1, 1, 1, 2), 50), ((0, 0, 0, 2), 950))
    alike = joint(((1, 2, 1, 2), 300), ((0, 2, 0, 2), 700))
    apart = joint(((1, 2, 1, 2), 300), ((1, 2, 0, 2), 300), ((0, 2, 0, 2), 400))
    causes = [
        b.blame(b.from_joint(now), 0.05, 0.05, periods=b.reference_periods(now, then)).cause for now in (alike, apart)
    ]
    assert causes == ["traffic", "undetermined"]


def test_an_empty_baseline_is_missing() -> None:
    answer = b.blame(b.from_joint(QUANTIZATION), 0.05, 0.05, periods=b.reference_periods(QUANTIZATION, NONE))
    assert b.NO_BASELINE in answer.missing
    assert answer.cause == "quantization"


def test_fewer_refusals_turn_the_reference_too() -> None:
    periods = b.reference_periods(QUANTIZATION, QUANTIZATION, "less")
    assert periods.now.tolist() == [0, 400]
