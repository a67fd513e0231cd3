"""Numbers and times as people read them."""

from __future__ import annotations

import pytest

from dashboard import sentences, words

NOON = 1_773_316_800.0  # 12 March 2026, 12:00 UTC


@pytest.mark.parametrize(
    ("estimate", "lower", "upper", "said"),
    [
        (0.123, 0.081, 0.169, "12.3 points worse (8.1 to 16.9)"),
        (0.004, -0.011, 0.019, "0.4 points worse (1.1 better to 1.9 worse)"),
        (-0.006, -0.014, 0.002, "0.6 points better (1.4 better to 0.2 worse)"),
        (-0.05, -0.08, -0.02, "5.0 points better (2.0 to 8.0)"),
        (0.0001, -0.01, 0.01, "no difference (1.0 better to 1.0 worse)"),
        (0.05, None, None, "5.0 points worse"),
        (None, None, None, "not known yet"),
    ],
)
def test_harm(estimate: float | None, lower: float | None, upper: float | None, said: str) -> None:
    assert words.harm({"estimate": estimate, "lower": lower, "upper": upper}) == said


def test_no_harm_at_all_is_not_known() -> None:
    assert words.harm(None) == "not known yet"


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (None, "–"),
        (0, "0 s"),
        (45, "45 s"),
        (59.7, "1 min"),
        (240, "4 min"),
        (3599, "1 h"),
        (3600, "1 h"),
        (7800, "2 h 10 min"),
        (40 * 3600, "40 h"),
        (3 * 86400, "3 days"),
    ],
)
def test_duration(seconds: float | None, said: str) -> None:
    assert words.duration(seconds) == said


def test_times_say_how_far_away_they_are() -> None:
    assert words.ago(NOON, NOON + 240) == "12:00 UTC, 4 min ago"
    assert words.ago(NOON, NOON) == "12:00 UTC, just now"
    assert words.ago(NOON, NOON - 300) == "12:00 UTC, in 5 min"
    assert words.ago(NOON - 2 * 86400, NOON) == "10 Mar 12:00 UTC, 2 days ago"
    assert words.ago(None, NOON) == "never"


@pytest.mark.parametrize(
    ("part", "said"), [(None, "–"), (0, "0 %"), (0.0002, "0.02 %"), (0.0506, "5.1 %"), (1, "100 %")]
)
def test_share(part: float | None, said: str) -> None:
    assert words.share(part) == said


def test_needs_is_said_only_where_undecided() -> None:
    assert words.needs({"decision": "hold", "needs_pairs": 1, "needs_seconds": None}) == "1 more pair"
    assert words.needs({"decision": "pass", "needs_pairs": 12, "needs_seconds": 60.0}) == ""


def test_a_format_is_said_in_words() -> None:
    form = {"kind": "weight_only", "bits": 4, "group_size": 128, "per_channel": False}
    assert words.build_format(form) == "4 bits, weight only, groups of 128"
    assert words.build_format({"kind": "unknown", "bits": None}) == "format not stated"


@pytest.mark.parametrize(
    ("recommendation", "said"),
    [
        (None, "No recommendation for b yet."),
        ({"action": "roll_back", "to": "a", "proven": False}, "Roll back b to a (unproven: watch it)."),
        ({"action": "roll_back", "to": None}, "Roll back b: there is no other build to name, choose one."),
        ({"action": "route_slice", "to": "a", "slices": ["json"]}, "Route json away from b to a."),
        ({"action": "tighten_decoding", "slices": []}, "Tighten decoding on the affected slices for b."),
        ({"action": "something new"}, "something new b."),
    ],
)
def test_advice(recommendation: dict[str, object] | None, said: str) -> None:
    assert sentences.advice(recommendation, "b") == said


def test_an_undetermined_cause_says_what_is_missing() -> None:
    blame = {"cause": "undetermined", "missing": ["reference replays from before"], "contributions": []}
    assert sentences.cause(blame) == "The cause is undetermined. Missing: reference replays from before."
