"""The rules of `tests/conftest.py`, tried on a small suite of its own, on a machine that lacks things."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

CONFTEST = Path(__file__).parents[2] / "conftest.py"
SUITE = """
import pytest

@pytest.mark.browser
def test_page(): pass

@pytest.mark.shadow
def test_skips_itself(): pytest.skip("not today")

def test_plain(): pass
"""
MARKERS = "[pytest]\nmarkers =\n    browser: a\n    shadow: b\n"


def run(folder: Path, require: str) -> subprocess.CompletedProcess[str]:
    """The small suite where no program is on the PATH, hence no Chromium."""
    (folder / "conftest.py").write_text(CONFTEST.read_text(encoding="utf-8"), encoding="utf-8")
    (folder / "test_suite.py").write_text(SUITE, encoding="utf-8")
    (folder / "pytest.ini").write_text(MARKERS, encoding="utf-8")
    environment = os.environ | {"PATH": str(folder), "QUANTWATCH_REQUIRE": require}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(folder), str(folder)]
    return subprocess.run(
        command, env=environment, cwd=folder, capture_output=True, text=True, timeout=120, check=False
    )


def test_what_is_missing_is_skipped_and_counted_in_one_line(tmp_path: Path) -> None:
    done = run(tmp_path, require="")

    assert done.returncode == 0
    said = [line for line in done.stdout.splitlines() if "skipped because" in line]
    assert said == ["2 tests skipped because: no Chromium (install the package chromium) (1); not today (1)"]


@pytest.mark.parametrize(
    ("require", "failing"),
    [
        ("browser", ["QUANTWATCH_REQUIRE asks for browser: no Chromium"]),
        ("shadow", ["QUANTWATCH_REQUIRE asks for shadow, but it was skipped: not today"]),
        ("browser, shadow", ["asks for browser", "asks for shadow"]),
    ],
)
def test_a_required_skip_is_a_failure(tmp_path: Path, require: str, failing: list[str]) -> None:
    done = run(tmp_path, require)

    assert done.returncode == 1
    assert [text for text in failing if text not in done.stdout] == []


def test_a_requirement_that_nobody_knows_is_refused_at_once(tmp_path: Path) -> None:
    done = run(tmp_path, require="chrome")

    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert "not chrome" in done.stderr
