"""A fixed log gives the sealed facts that it always gave, signal by signal."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.golden.make import FOLDER, golden_facts, pinned

pytestmark = pytest.mark.usefixtures("either_database")


def test_the_golden_log_gives_the_golden_facts(tmp_path: Path) -> None:
    expected = json.loads((FOLDER / "sealed.json").read_text())
    changed = {name: value for name, value in pinned(golden_facts(tmp_path)).items() if expected.get(name) != value}
    hint = "if a definition was changed on purpose: python -m tests.golden.make > tests/golden/sealed.json"
    assert changed == {}, hint


def test_no_golden_signal_has_gone(tmp_path: Path) -> None:
    assert json.loads((FOLDER / "sealed.json").read_text()).keys() == pinned(golden_facts(tmp_path)).keys()


def test_one_count_more_would_be_noticed(tmp_path: Path) -> None:
    facts = golden_facts(tmp_path)
    key = next(iter(facts))
    more = facts | {key: facts[key][:-8] + bytes([facts[key][-8] + 1]) + facts[key][-7:]}
    with pytest.raises(AssertionError):
        assert pinned(more) == pinned(facts)
