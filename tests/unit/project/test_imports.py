"""Who may import whom, held by import-linter, and that its contracts do hold something."""

from __future__ import annotations

import ast
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PACKAGES = ("monitor", "services", "shadow", "dashboard", "migrations")
LINT = Path(sys.executable).with_name("lint-imports")
COMPUTING = {"jsonschema_rs", "msgspec", "numba", "numpy", "orjson", "re2", "xxhash"}
STANDARD = {
    "__future__", "bisect", "collections", "dataclasses", "datetime", "enum", "functools", "importlib", "itertools",
    "math", "re", "typing", "unicodedata",
}  # fmt: skip
IMPURE = {"now", "today", "utcnow", "time_ns", "perf_counter", "monotonic", "urandom", "default_rng"}


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    command = [str(LINT), "--no-cache", "--no-logo"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120, check=False)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The code and its contracts, to be broken."""
    for package in PACKAGES:
        for file in (ROOT / package).rglob("*.py"):
            target = tmp_path / file.relative_to(ROOT)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, target)
    shutil.copyfile(ROOT / ".importlinter", tmp_path / ".importlinter")
    return tmp_path


def test_the_contracts_hold() -> None:
    done = lint(ROOT)

    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("module", "line", "contract"),
    [
        ("monitor/plan.py", "import services.settings", "monitor is pure"),
        ("monitor/signals/refusal.py", "import sqlalchemy", "monitor is pure"),
        ("monitor/step.py", "import time", "monitor is pure"),
        ("monitor/sampling.py", "import random", "monitor is pure"),
        ("monitor/errors.py", "import monitor.model", "monitor: definitions below facts"),
        ("monitor/utils.py", "", "monitor: definitions below facts"),
        ("monitor/signals/score.py", "import monitor.evidence.bets", "what takes events knows nothing of evidence"),
        ("monitor/blame.py", "import monitor.tally", "what judges reads sealed facts"),
        ("monitor/watch.py", "import monitor.training.refusal", "trainers are imported by nothing"),
        ("monitor/signals/text.py", "import sklearn.svm", "scikit-learn and scipy"),
        ("services/evaluate.py", "from shadow.ports import ReplayTask", "services imports shadow in one visible line"),
        ("services/store/queries.py", "import fastapi", "services: the command line and the API above"),
        ("services/api/looks.py", "import monitor.assess", "the API reads the ledger"),
        ("shadow/worker.py", "import services.ports", "shadow imports neither"),
        ("shadow/backends/openai.py", "import httpx", "shadow imports neither"),
        ("shadow/fidelity.py", "import torch", "torch lives in"),
        ("dashboard/frames.py", "import monitor.model", "the dashboard is a client"),
    ],
)
def test_a_planted_import_breaks_its_contract(copy: Path, module: str, line: str, contract: str) -> None:
    file = copy / module
    planted = file.read_text(encoding="utf-8") if file.exists() else ""
    file.write_text(f"{planted}\n{line}\n", encoding="utf-8")

    done = lint(copy)

    broken = " ".join(done.stdout.split())
    assert done.returncode != 0
    assert contract in broken.split("Broken contracts")[1]


def core() -> Iterator[tuple[Path, ast.AST]]:
    """Every node of the core's code, trainers aside."""
    for file in sorted((ROOT / "monitor").rglob("*.py")):
        if "training" not in file.parts:
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
                yield file.relative_to(ROOT), node


def test_the_core_imports_only_what_computes() -> None:
    allowed = COMPUTING | STANDARD | {"monitor"}
    found = set()
    for file, node in core():
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module or ""]
        else:
            continue
        found |= {f"{file}: {name}" for name in names if name.split(".")[0] not in allowed}

    assert found == set()


def test_the_core_asks_no_clock_and_draws_no_number() -> None:
    """What it opens are artefacts of its own packages, through `importlib.resources`."""
    found = [
        f"{file}:{node.lineno}: {called}"
        for file, node in core()
        if isinstance(node, ast.Call)
        for called in [node.func.attr if isinstance(node.func, ast.Attribute) else ast.unparse(node.func)]
        if called in IMPURE or ast.unparse(node.func) == "open"
    ]

    assert found == []


@pytest.mark.parametrize(
    "module", ["services.cli", "services.api.app", "services.bootstrap", "shadow.worker", "shadow.backends.openai"]
)
def test_torch_is_not_loaded_at_the_start(module: str) -> None:
    code = f"import sys, {module}; sys.exit('torch' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, timeout=120, check=False).returncode == 0
