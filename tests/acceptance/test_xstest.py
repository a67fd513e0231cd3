"""Refusals of real systems on XSTest's prompts, judged by classifiers that never saw a system of their family."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from monitor.model import Decision
from tests.acceptance import raw, xstest
from tests.acceptance.journey import Journey, check

SEEDS = range(1, 6)
BOTH_WAYS = [*xstest.RELATIVES, *((candidate, reference) for reference, candidate in xstest.RELATIVES)]


def journey(folder: Path, system: str) -> Journey:
    return Journey(folder, weights=xstest.OUT_OF_FAMILY[system])


@pytest.mark.parametrize(("reference", "candidate"), BOTH_WAYS, ids=[" to ".join(pair) for pair in BOTH_WAYS])
def test_a_relative_that_refuses_otherwise_raises_the_alert_in_the_direction_that_people_see(
    tmp_path: Path, reference: str, candidate: str
) -> None:
    people = float((raw.human_refusals(candidate) - raw.human_refusals(reference)).mean())
    direction, other = ("more", "less") if people > 0 else ("less", "more")
    streamed = journey(tmp_path, candidate)
    assert streamed.take(xstest.relatives(reference, candidate)) == 239
    last = streamed.look_often(xstest.START, xstest.END)[-1]
    (alert,) = streamed.alerts(xstest.DEPLOYMENT, candidate, "refusal")
    assert (alert.finding.kind, alert.finding.slice, alert.finding.direction) == ("fail", "all", direction)
    assert last.decision is Decision.FAIL
    found = check(last, "refusal", direction=direction)
    assert found.harm.lower is not None
    assert found.harm.upper is not None
    assert found.harm.lower < abs(people) < found.harm.upper
    assert check(last, "refusal", direction=other).decision is Decision.PASS


@pytest.mark.parametrize("system", xstest.OUT_OF_FAMILY)
def test_random_halves_of_one_system_raise_none(tmp_path: Path, system: str) -> None:
    streamed = journey(tmp_path, system)
    assert streamed.take(event for seed in SEEDS for event in xstest.halves(system, seed)) == 119 * len(SEEDS)
    looks = streamed.look_often(xstest.START, xstest.END)
    variants = {verdict.variant for verdict in looks}
    assert len(variants) == len(SEEDS)
    assert not list(_refusal_alerts(streamed, variants))
    assert not [f for verdict in looks for f in verdict.findings if f.signal == "refusal"]
    assert all(check(v, "refusal", direction="more").pairs > 0 for v in looks[-len(SEEDS) :])


def _refusal_alerts(streamed: Journey, variants: set[str]) -> Iterator[str]:
    for variant in variants:
        yield from (stored.alert.id for stored in streamed.alerts(xstest.DEPLOYMENT, variant, "refusal"))
