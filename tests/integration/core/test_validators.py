"""A team's own check: installed as an entry point, named in the plan, counted as a signal."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from monitor.errors import PlanError
from services.planfile import parse_plan
from tests.support.events import START, lines, request
from tests.support.stores import ListSource, counted, seal_all, store, take

CODE = """
class Cited:
    name = "cited"
    version = 2

    def valid(self, event, output):
        if event.tags is None:
            return None
        return "[1]" in (output.text or "") if event.tags["kind"] != "odd" else 1 / 0

cited = Cited()
broken = object()
"""
ENTRY_POINTS = (
    "[quantwatch.validators]\ncited = team_checks:cited\nbroken = team_checks:broken\nlost = team_checks:lost\n"
)


@pytest.fixture(autouse=True)
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A package of that team on the path."""
    about = tmp_path / "site" / "team_checks-1.0.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: team-checks\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text(ENTRY_POINTS)
    (tmp_path / "site" / "team_checks.py").write_text(CODE)
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    importlib.invalidate_caches()
    yield
    sys.modules.pop("team_checks", None)


def written(validator: str) -> str:
    return f"deployments: {{shop: {{bucket: 30s, lateness: 30s, validators: [{validator}]}}}}"


def test_a_team_s_check_is_counted_with_what_it_says(tmp_path: Path) -> None:
    plan, engine = parse_plan(written("cited")), store(tmp_path)
    given = (("a", "see [1]", "new"), ("b", "see", "new"), ("c", "see", "odd"), ("d", "see", None))
    events = [
        request(name, START, output={"text": text}) | ({"tags": {"kind": kind}} if kind else {"tags": None})
        for name, text, kind in given
    ]
    take(engine, plan, ListSource(lines(*events)))
    seal_all(engine, plan)
    assert counted(engine, "validator:cited") == {"ok": 1, "bad": 1, "broken": 1, "not_asked": 1}


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("sited", "no validator `sited` is installed; allowed: broken, cited, lost"),
        ("broken", "is no validator of that name"),
        ("lost", "cannot be loaded: AttributeError"),
    ],
)
def test_a_check_that_cannot_be_had_is_refused_with_its_line(name: str, said: str) -> None:
    with pytest.raises(PlanError, match=said) as refused:
        parse_plan(written(name))
    assert refused.value.line == 1


def test_a_schema_that_is_none_is_refused() -> None:
    with pytest.raises(PlanError, match="schema `order` is no JSON Schema"):
        parse_plan("deployments: {shop: {schemas: [{name: order, schema: {type: 7}}]}}")
