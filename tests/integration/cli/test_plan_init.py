"""`quantwatch plan init`: a first plan that `plan check` accepts and under which the log is taken."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from monitor.plan import Plan
from services.planfile import parse_plan
from tests.bench import traffic
from tests.integration.cli.conftest import Ran
from tests.integration.cli.test_dry_run import GOLDEN, real_pairs
from tests.support.own_log import BUILD, cities, city, write

Run = Callable[..., Ran]


@pytest.fixture
def planned(quantwatch: Run, folder: Path) -> Callable[..., Plan]:
    """Writes the first plan of some files, checks it, and takes them in under it."""

    def make(*names: str | Path, refused: frozenset[str] = frozenset()) -> Plan:
        ran = quantwatch("plan", "init", *names)
        assert (ran.code, ran.err) == (0, "")
        (folder / "first.yaml").write_text(ran.out, encoding="utf-8")
        checked = quantwatch("plan", "check", "first.yaml")
        assert checked.code == 0, checked.err
        (took,) = quantwatch("ingest", *names, "--plan", "first.yaml", "--db", "sqlite:///x.db", "--json").json
        assert took["quarantined"].keys() <= refused
        assert took["accepted"] > 0
        return parse_plan(ran.out)

    return make


def test_somebodys_own_log(planned: Callable[..., Plan], quantwatch: Run, folder: Path) -> None:
    plan = planned(write(folder / "log.jsonl", cities(400)))

    assert list(plan.deployments["default"].variants) == [BUILD]
    verdict = quantwatch("verdict", BUILD, "--plan", "first.yaml", "--db", "sqlite:///x.db", "--as-of", "end")
    assert verdict.code == 2
    assert "no reference" in verdict.out


def test_native_traffic(planned: Callable[..., Plan], folder: Path) -> None:
    traffic.write(folder / "log.jsonl", 600, 5)
    rule = planned("log.jsonl").deployments[traffic.DEPLOYMENT]
    names = [one.name for one in rule.slices]

    assert set(rule.variants) == set(traffic.VARIANTS)
    assert {"json schema", "tools", "medium", "route=extract"} <= set(names)
    assert "tags" not in str([one.where.tags for one in rule.slices if "tenant" in one.where.tags])


def test_a_log_with_everything_in_it(planned: Callable[..., Plan]) -> None:
    bad = {"not_json", "wrong_type", "early", "late", "unknown_kind", "schema_version", "not_utf8", "nul"}
    plan = planned(GOLDEN, refused=frozenset({*bad, "unmatched_score", "unmatched_feedback"}))

    assert plan.deployments["shop"].joins.share > 0


def test_real_answers_of_three_builds(planned: Callable[..., Plan], quantwatch: Run, folder: Path) -> None:
    rule = planned(write(folder / "log.jsonl", real_pairs())).deployments["default"]
    text = (folder / "first.yaml").read_text()

    assert set(rule.variants) == {"fp16", "q4_K_M", "q8_0"}
    assert "# reference: fp16  # a guess: its name says fp16" in text
    assert "# format: {kind: weight-only, bits: 4}  # FILL IN: a guess, its name says q4_k_m" in text
    assert {one.name for one in rule.slices} == {"task=extraction", "task=mmlu"}


def test_several_files_make_one_plan(planned: Callable[..., Plan], folder: Path) -> None:
    days = [
        write(folder / f"day-{d}.jsonl", [city(n, model=f"m-{d}-int8") for n in range(60 * d, 60 * d + 60)])
        for d in (0, 1)
    ]
    plan = planned(*days)

    assert set(plan.deployments["default"].variants) == {"m-0-int8", "m-1-int8"}


def test_a_mapping_of_ones_own_is_read_and_kept(quantwatch: Run, folder: Path) -> None:
    log = write(folder / "prod-1.jsonl", [{"in": c["request"], "out": c["response"]} for c in cities(60)])
    (folder / "mine.yaml").write_text(
        "input: {mapping: {request: $.in, response: $.out, variant: {file: '^(\\w+)-'}}}\n"
    )
    ran = quantwatch("plan", "init", log, "--plan", "mine.yaml")
    plan = parse_plan(ran.out)

    assert list(plan.deployments["default"].variants) == ["prod"]
    assert plan.input.mapping.request == "$.in"


def test_a_log_in_which_nothing_can_be_read_gets_no_plan(quantwatch: Run, folder: Path) -> None:
    (folder / "access.log").write_text("GET /index.html HTTP/1.1 200\n" * 30)
    refusal = quantwatch("plan", "init", "access.log").refusal

    assert refusal == "access.log: no request can be read (not_json 30); ingest --dry-run shows more"


def test_it_writes_no_file_and_may_be_sent_into_the_plan_itself(quantwatch: Run, folder: Path) -> None:
    log = write(folder / "log.jsonl", cities(40))
    (folder / "quantwatch.yaml").touch()  # as the shell has made it, by the time the command starts
    ran = quantwatch("plan", "init", log)

    assert ran.code == 0
    assert {path.name for path in folder.iterdir()} == {"log.jsonl", "quantwatch.yaml"}
