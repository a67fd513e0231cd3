"""The main job on a real model: what its quantized weights really do is found, blamed and answered."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from monitor.model import Decision
from services.store import tables as t
from tests.support.story import BAD, GOOD, Story

pytestmark = pytest.mark.shadow


def test_the_eight_bit_build_passes_on_evidence(story: Story) -> None:
    decisions = [verdict.decision for verdict in story.verdicts if verdict.variant == GOOD]
    assert Decision.FAIL not in decisions
    assert Decision.PASS in decisions


def test_the_four_bit_build_fails_and_quantization_is_to_blame(story: Story) -> None:
    verdict = story.last(BAD)
    assert verdict.decision is Decision.FAIL
    failed = [finding for finding in verdict.findings if finding.kind == "fail"]
    assert {finding.blame.cause for finding in failed if finding.blame} == {"quantization"}
    assert {finding.signal for finding in failed} <= {"score", "schema", "tool_call"}


def test_the_harm_is_in_some_slices_and_not_in_others(story: Story) -> None:
    failed = {check.slice for check in story.last(BAD).checks if check.decision is Decision.FAIL}
    assert "tools" in failed
    assert "refusals" not in failed


def test_the_build_to_roll_back_to_is_the_one_that_passed(story: Story) -> None:
    advice = story.last(BAD).recommendation
    assert (advice.action, advice.to, advice.proven) == ("roll_back", GOOD, True)


def test_after_the_rollback_the_four_bit_build_stays_failed_and_the_eight_bit_build_does_not_fail(story: Story) -> None:
    assert story.last(BAD).decision is Decision.FAIL
    assert story.last(GOOD).decision in (Decision.PASS, Decision.HOLD)


def test_one_alert_per_failed_check_is_open_and_none_for_the_good_build(story: Story) -> None:
    with story.engine.connect() as connection:
        alerts = connection.execute(sa.select(t.alert)).all()
    assert {alert.variant for alert in alerts if alert.kind != "ticket"} == {BAD}
    assert len({alert.id for alert in alerts}) == len(alerts)


def test_every_replay_was_done_and_nothing_was_lost(story: Story) -> None:
    with story.engine.connect() as connection:
        waiting = connection.scalar(sa.select(sa.func.count()).select_from(t.queue))
        taken = connection.scalar(sa.select(sa.func.count()).select_from(t.quarantine))
    assert (waiting, taken) == (0, 0)
