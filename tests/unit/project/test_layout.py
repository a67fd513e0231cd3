"""What the tree must not have."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[3]
CODE = ("monitor", "services", "shadow", "dashboard", "migrations", "tests")
NAMELESS = {"common", "helper", "helpers", "manager", "managers", "misc", "util", "utils"}


def modules() -> list[Path]:
    return sorted(file for package in CODE for file in (ROOT / package).rglob("*.py"))


def relative(files: list[Path]) -> list[str]:
    return [str(file.relative_to(ROOT)) for file in files]


def test_no_module_is_longer_than_five_hundred_lines() -> None:
    assert relative([f for f in modules() if len(f.read_text(encoding="utf-8").splitlines()) > 500]) == []


def test_every_module_is_named_after_what_it_does() -> None:
    assert relative([f for f in modules() if NAMELESS & {f.stem, *f.parent.parts[len(ROOT.parts) :]}]) == []


def test_no_test_stands_on_mocks() -> None:
    mock = re.compile(r"^\s*(?:from|import) (?:unittest\.mock|unittest import mock|mock\b)", re.MULTILINE)

    assert relative([f for f in modules() if mock.search(f.read_text(encoding="utf-8"))]) == []


def test_locked_packages_have_names_versions_and_hashes_and_no_address() -> None:
    files = {*ROOT.glob("requirements*"), *ROOT.glob("*lock*")}
    addressed = [f for f in files if f.is_file() and re.search(r"https?://", f.read_text(encoding="utf-8"))]
    locked = re.split(r"\n(?=[a-z0-9])", (ROOT / "requirements.lock").read_text(encoding="utf-8"))[1:]

    assert relative(addressed) == []
    assert [entry.split(" ")[0] for entry in locked if "==" not in entry or "--hash=sha256:" not in entry] == []
