"""What the base install lacks is named with the extra that brings it, and nothing else stops working."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

BASE = (
    "import sys; sys.modules.update(dict.fromkeys(('faust', 'aiokafka', 'kafka', 'cramjam', 'psycopg')));"
    "from services.cli import main; main()"
)


def base(*words: str | Path) -> subprocess.CompletedProcess[str]:
    """The command where no extra is installed."""
    return subprocess.run([sys.executable, "-c", BASE, *map(str, words)], capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("words", "extra"),
    [
        (("stream", "--kafka", "127.0.0.1:1", "--db", "sqlite:///{}/q.db"), "kafka"),
        (("topics", "check", "--kafka", "127.0.0.1:1"), "kafka"),
        (("facts", "--db", "postgresql://127.0.0.1:1/q"), "postgres"),
    ],
)
def test_a_command_without_its_extra_says_what_to_install(words: tuple[str, ...], extra: str, tmp_path: Path) -> None:
    done = base(*(word.format(tmp_path) for word in words))
    assert done.returncode == 3
    assert f"pip install 'quantwatch[{extra}]'" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_the_base_takes_a_log_and_answers_without_any_extra(tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    log.write_text('{"id":"a","deployment":"shop","variant":"shop-int4","time":1700000000,"output":{"text":"yes"}}\n')
    store = f"sqlite:///{tmp_path}/q.db"
    assert base("ingest", log, "--db", store).returncode == 0
    assert base("verdict", "shop-int4", "--db", store, "--as-of", "end").returncode == 2
