"""Silences: what they match, and when."""

from __future__ import annotations

from dataclasses import replace

import pytest

from monitor.response.alerts import Alert
from monitor.response.silences import Silence, muting

ALERT = Alert("a", "fail", "chat", "int4", "json", "schema", "worse")
WIDE = Silence(1, "chat", None, None, None, at=100, until=200, by="anna", comment="c")


@pytest.mark.parametrize(
    ("changes", "mutes", "why"),
    [
        ({}, True, "what is not given matches anything"),
        ({"deployment": "search"}, False, "another deployment"),
        ({"variant": "int4", "slice": "json", "signal": "schema"}, True, "all given, all equal"),
        ({"variant": "int8"}, False, "another variant"),
        ({"slice": "all"}, False, "the slice `all` is one slice, not every slice"),
        ({"signal": "refusal"}, False, "another signal"),
    ],
)
def test_what_it_matches(changes: dict[str, str], mutes: bool, why: str) -> None:
    assert (muting([replace(WIDE, **changes)], ALERT, 150) is not None) is mutes, why


@pytest.mark.parametrize(("now", "active"), [(99, False), (100, True), (199, True), (200, False)])
def test_it_lasts_from_its_beginning_until_before_its_end(now: int, active: bool) -> None:
    assert WIDE.active(now) is active


def test_of_several_the_longest_answers() -> None:
    longer = replace(WIDE, id=2, until=300)
    assert muting([WIDE, longer], ALERT, 150) == longer
