"""Real pairs of Llama 3.1 8B at fp16, Q8_0 and Q4_K_M, taken and judged as of their end."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import msgspec
import numpy as np
import pytest

from monitor.checks import joint
from monitor.evidence.joint import outcomes
from monitor.model import Arm, Decision, Verdict
from monitor.plan import Plan
from services.planfile import read_plan
from tests.acceptance import llama31, raw
from tests.acceptance.journey import Journey, check

ROOT = Path(__file__).parents[2]
PLAN_FILE = Path(__file__).with_name("plan.yaml")
Q8, Q4 = llama31.VARIANTS
PLACES = {
    "by task, no plan": {"extraction": ("extraction", "all"), "mmlu": ("mmlu", "all")},
    "one deployment, slices": {"extraction": ("llama31", "extraction"), "mmlu": ("llama31", "mmlu")},
}
"""For each way to watch, where a task is found: deployment and slice."""
CHECKS = {"by task, no plan": 5, "one deployment, slices": 15}
"""Checks over which the wrong-fail budget is split: schema, tool_call, score and refusal, which has two directions."""


class Watched:
    """One way to watch the pairs, gone to its end."""

    def __init__(self, way: str, folder: Path) -> None:
        self.way = way
        by_task = way == "by task, no plan"
        self.journey = Journey(folder, Plan() if by_task else read_plan(str(PLAN_FILE)))
        self.accepted = self.journey.take(llama31.events(by_task=by_task))
        self.looks = self.journey.look_often(llama31.START, llama31.END, every=1200)
        self.verdicts: Mapping[tuple[str, str], Verdict] = {(v.deployment, v.variant): v for v in self.looks}

    def verdict(self, task: str, variant: str) -> Verdict:
        return self.verdicts[PLACES[self.way][task][0], variant]

    def slice(self, task: str) -> str:
        return PLACES[self.way][task][1]


@pytest.fixture(scope="module", params=PLACES)
def watched(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Watched:
    return Watched(request.param, tmp_path_factory.mktemp("store"))


def test_the_raw_data_says_that_only_q4_harms_and_only_the_score_and_the_length() -> None:
    lost = {(v, t): -raw.score_differences(v, t) for v in llama31.VARIANTS for t in llama31.TASKS}
    assert {key: len(found) for key, found in lost.items()} == {
        (variant, task): {"extraction": 162, "mmlu": 244}[task] for variant, task in lost
    }
    assert lost[Q4, "extraction"].mean() == pytest.approx(0.079, abs=0.001)
    assert lost[Q4, "extraction"].mean() > 3 * raw.mean_error(lost[Q4, "extraction"])
    assert all(abs(lost[Q8, task].mean()) < 2 * raw.mean_error(lost[Q8, task]) for task in llama31.TASKS)
    longer = raw.length_octaves(Q4, "extraction")
    assert longer.mean() > 5 * raw.mean_error(longer)
    assert [int(raw.invalid_json(build).sum()) for build in (llama31.REFERENCE, Q8, Q4)] == [1, 2, 0]


def test_every_event_is_taken_and_is_a_pair(watched: Watched) -> None:
    assert watched.accepted == 2 * 406
    for task, number in (("extraction", 162), ("mmlu", 244)):
        for variant in llama31.VARIANTS:
            series = watched.journey.pairs(PLACES[watched.way][task][0], variant, "score", watched.slice(task))
            assert int(series.total[:34].sum()) == number


def test_q8_never_fails_and_nothing_is_found(watched: Watched) -> None:
    found = [verdict for verdict in watched.looks if verdict.variant == Q8]
    assert len(found) >= 4
    assert not any(verdict.decision is Decision.FAIL or verdict.findings for verdict in found)


@pytest.mark.parametrize("variant", llama31.VARIANTS)
@pytest.mark.parametrize("task", llama31.TASKS)
def test_the_scores_interval_holds_the_paired_mean_difference(watched: Watched, task: str, variant: str) -> None:
    found = check(watched.verdict(task, variant), "score", watched.slice(task))
    lost = float(-raw.score_differences(variant, task).mean())
    assert found.harm.estimate == pytest.approx(lost, abs=0.01)
    assert found.harm.lower is not None
    assert found.harm.upper is not None
    assert found.harm.lower < lost < found.harm.upper


def test_the_score_fails_only_by_its_budgeted_evidence(watched: Watched) -> None:
    for verdict in watched.looks:
        for found in verdict.checks:
            assert found.threshold == pytest.approx(math.log(CHECKS[watched.way] / 0.01))
            assert (found.decision is Decision.FAIL) == (found.log_evidence >= found.threshold)


def test_q4s_score_on_extraction_is_undecided_and_says_how_many_more_pairs_it_needs(watched: Watched) -> None:
    verdict = watched.verdict("extraction", Q4)
    found = check(verdict, "score", watched.slice("extraction"))
    assert found.decision is Decision.HOLD
    assert 0.4 * found.threshold < found.log_evidence < found.threshold
    assert found.needs_pairs is not None
    assert 50 < found.needs_pairs < 400
    assert str(found.needs_pairs) in found.reason
    assert found.needs_seconds is not None
    assert (verdict.decision, verdict.recommendation.action) == (Decision.HOLD, "hold")


def test_the_number_of_needed_pairs_is_about_right(tmp_path: Path) -> None:
    rows = [row for row in llama31.rows() if row["task"] == "extraction"]
    twice = [row | {"id": f"{row['id']}-{copy}"} for copy in range(2) for row in rows]

    def decision(number: int) -> Decision:
        (folder := tmp_path / str(number)).mkdir()
        journey = Journey(folder)
        journey.take(llama31.event(row, Q4, "ner", llama31.START + 10 * k) for k, row in enumerate(twice[:number]))
        return check(journey.look()["ner", Q4], "score").decision

    assert [decision(162), decision(324)] == [Decision.HOLD, Decision.FAIL]


def test_q4s_length_shift_on_extraction_is_found_as_a_ticket(watched: Watched) -> None:
    name, verdict = watched.slice("extraction"), watched.verdict("extraction", Q4)
    (found,) = [f for f in verdict.findings if (f.signal, f.slice) == ("length", name)]
    assert (found.kind, found.direction) == ("ticket", "more")
    assert found.log_evidence >= found.threshold
    shift = float(raw.length_octaves(Q4, "extraction").mean()) / raw.REACH
    assert found.harm.lower is not None
    assert found.harm.upper is not None
    assert 0 < found.harm.lower < shift < found.harm.upper
    assert verdict.decision is Decision.HOLD


def test_the_length_of_mmlu_answers_is_not_blamed(watched: Watched) -> None:
    for variant in llama31.VARIANTS:
        findings = watched.verdict("mmlu", variant).findings
        assert not [f for f in findings if (f.signal, f.slice) == ("length", watched.slice("mmlu"))]


@pytest.mark.parametrize("variant", llama31.VARIANTS)
def test_json_validity_is_checked_on_every_extraction_and_rightly_not_blamed(watched: Watched, variant: str) -> None:
    deployment, name = PLACES[watched.way]["extraction"]
    cells = joint(watched.journey.pairs(deployment, variant, "json", name).total)
    counted = {arm: outcomes(cells, arm).tolist() for arm in (Arm.LOGGED, Arm.REFERENCE)}
    bad = {Arm.LOGGED: raw.invalid_json(variant), Arm.REFERENCE: raw.invalid_json(llama31.REFERENCE)}
    assert counted == {arm: np.bincount(found, minlength=2).tolist() for arm, found in bad.items()}
    assert not [f for v in watched.looks for f in v.findings if f.variant == variant and f.signal in ("json", "schema")]
    assert not watched.journey.alerts(deployment, variant, "json")


def test_the_commands_say_the_same(tmp_path: Path) -> None:
    log = tmp_path / "llama31.jsonl"
    log.write_bytes(_run(tmp_path, "-m", "tests.acceptance.llama31").stdout)
    taken = _run(tmp_path, "-m", "services", "ingest", str(log), "--plan", str(PLAN_FILE), "--json")
    assert json.loads(taken.stdout) == {"accepted": 812, "duplicates": 0, "quarantined": {}}
    asked = ("-m", "services", "verdict", Q4, "--as-of", "end", "--plan", str(PLAN_FILE), "--json")
    told = _run(tmp_path, *asked, code=2)
    (folder := tmp_path / "again").mkdir()
    journey = Journey(folder, read_plan(str(PLAN_FILE)))
    journey.take(llama31.events())
    assert msgspec.json.decode(told.stdout, type=Verdict) == journey.look()["llama31", Q4]


def _run(folder: Path, *arguments: str, code: int = 0) -> subprocess.CompletedProcess[bytes]:
    world = {**os.environ, "PYTHONPATH": str(ROOT), "QUANTWATCH_DB": f"sqlite:///{folder / 'cli.db'}"}
    done = subprocess.run([sys.executable, *arguments], cwd=folder, env=world, capture_output=True, check=False)
    assert done.returncode == code, done.stderr.decode()
    return done
