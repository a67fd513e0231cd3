"""Answers from a file."""

from __future__ import annotations

from pathlib import Path

import pytest

from monitor.model import Message, Output
from monitor.plan import ArmRule
from shadow.backends import RecordedBackend, Request, open_backend
from shadow.errors import BackendError, NotReplayable


def request(name: str) -> Request:
    return Request(name, (Message("user", "hello"),))


def test_reads_answers_by_request_id_and_keeps_the_first(tmp_path: Path) -> None:
    (tmp_path / "fp32.jsonl").write_text(
        '{"id": "a", "output": {"text": "one"}}\n\n{"id": "a", "output": {"text": "two"}}\n'
    )
    backend = open_backend(ArmRule(backend="recorded", model="fp32.jsonl"), tmp_path)
    backend.check(request("a"))
    assert backend.generate([request("a")]) == [Output("one")]
    assert backend.score([request("a")], [Output("one")]) == [None]
    with pytest.raises(NotReplayable, match="not recorded"):
        backend.check(request("b"))


def test_says_which_line_is_wrong_without_its_text(tmp_path: Path) -> None:
    path = tmp_path / "fp32.jsonl"
    path.write_text('{"id": "a", "output": {}}\n{"id": "secret"}\n')
    with pytest.raises(BackendError, match="line 2") as caught:
        RecordedBackend.read(path)
    assert "secret" not in str(caught.value)


def test_a_missing_file_stops(tmp_path: Path) -> None:
    with pytest.raises(BackendError, match="cannot be read"):
        RecordedBackend.read(tmp_path / "nothing.jsonl")
