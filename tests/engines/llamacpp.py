"""From logs to verdicts with real llama.cpp servers. Run by `make test-engines`: by its name no part of `make test`."""

from __future__ import annotations

from typing import Any

import pytest

from tests.engines.story import BUILDS, REFERENCE, Story, tell


@pytest.fixture(scope="session")
def story() -> Story:
    return tell()


def failing(verdict: dict[str, Any]) -> set[tuple[str, str]]:
    """The slices and signals that fail a build."""
    return {(check["slice"], check["signal"]) for check in verdict["checks"] if check["decision"] == "fail"}


def test_the_gguf_file_answers_as_the_model_does_in_transformers(story: Story) -> None:
    same, of = story.as_transformers
    assert same >= of * 0.99


def test_every_line_of_the_logs_is_understood_and_taken(story: Story) -> None:
    assert "quarantined 0" in story.step("ingest").printed
    assert story.step("ingest").code == 0
    assert story.step("ingest small-f16.jsonl").printed.count("quarantined 0") == 1


def test_the_plan_is_right_and_the_doctor_finds_the_installation_sound(story: Story) -> None:
    assert story.step("plan check").code == 0
    assert story.step("doctor").code == 0, story.step("doctor").printed


def test_every_sampled_request_is_replayed_by_both_engines(story: Story) -> None:
    assert "replayed" in story.step("shadow").printed
    assert "failed" not in story.step("shadow").printed
    for verdict in story.verdicts.values():
        assert verdict["coverage"]["excluded_share"] == 0.0


def test_the_harmless_builds_do_not_fail(story: Story) -> None:
    for name in ("small-f16", "small-q8_0"):
        assert story.verdicts[name]["decision"] != "fail", story.verdicts[name]["checks"]


def test_the_worst_build_fails_where_it_is_worst_and_quantization_is_to_blame(story: Story) -> None:
    verdict = story.verdicts["small-q2_k"]
    assert verdict["decision"] == "fail"
    assert ("tools", "tool_call") in failing(verdict)
    assert {signal for _, signal in failing(verdict)} == {"tool_call"}, "JSON is held to its schema by a grammar"
    assert {f["blame"]["cause"] for f in verdict["findings"] if f["kind"] == "fail"} == {"quantization"}


def test_the_right_answers_say_the_same_as_the_verdicts(story: Story) -> None:
    """The truth that no log holds: the build that fails is the one that answers fewest tool requests rightly."""
    share = {name: right / of for name in (REFERENCE, *BUILDS) for right, of in [story.builds[name].right["tools"]]}
    assert min(share, key=share.__getitem__) == "small-q2_k"
    assert share[REFERENCE] - share["small-q2_k"] > 0.1
    assert share[REFERENCE] - share["small-q8_0"] < 0.02
