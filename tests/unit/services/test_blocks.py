"""Lines planned first and read later are the lines that are read at once; a log that changed between is refused."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

import services.ingest.blocks as blocks
from monitor.wire import MAX_BYTES
from services.errors import GapError
from services.gap import Reason
from services.ingest.jsonl import JsonlFile

Opener = Callable[[Path], JsonlFile]


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks, "RUN_BYTES", 150)
    monkeypatch.setattr(blocks, "BLOCK", 64)
    monkeypatch.setattr(blocks, "_NEAR", 16)


def log_of(draw: random.Random) -> bytes:
    """Lines short and long, blank ones, the last of which may have no newline."""
    lines = [
        bytes(draw.choices(b"{}ab\r ", k=draw.choice((0, 1, 5, 30, 64, 65, 200)))) for _ in range(draw.randrange(9))
    ]
    return b"\n".join(lines) + draw.choice((b"", b"\n"))


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("wait", [False, True])
@pytest.mark.parametrize("seed", range(150))
def test_planned_lines_are_those_read_at_once(tmp_path: Path, seed: int, wait: bool) -> None:
    draw = random.Random(seed)
    path, body = tmp_path / "log", log_of(draw)
    path.write_bytes(body)
    with path.open("rb") as file:
        start = 0
        while True:
            planned = blocks.plan(lambda at, size: body[at : at + size], start, wait=wait)
            lines, end, more = blocks.take(file, start, wait=wait)
            assert [(at, body[at : at + size]) for at, size in planned.spans] == [
                (one.start, one.body) for one in lines
            ]
            assert (planned.end, planned.more) == (end, more)
            if not more:
                break
            start = end


@pytest.fixture
def opened() -> Iterator[Opener]:
    with ExitStack() as files:
        yield lambda path: files.enter_context(closing(JsonlFile(path, lambda: 0)))


def test_of_an_oversized_line_only_the_beginning_is_read(opened: Opener, tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"{}\n" + b"x" * (2 * MAX_BYTES) + b"\n{}\n")
    [run] = opened(path).runs(0)
    assert [(one.start, len(one.body)) for one in run.lines] == [(0, 3), (3, MAX_BYTES + 2), (2 * MAX_BYTES + 4, 3)]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda body: body[:100], Reason.CUT),
        (lambda body: body[:-1], Reason.CUT),
        (lambda body: body[:-9] + b"y" + body[-8:], Reason.REWRITTEN),
        (lambda body: body[:5] + b"y" + body[6:], Reason.REWRITTEN),
    ],
    ids=["cut", "cut by one byte", "its end rewritten", "its beginning rewritten"],
)
def test_a_log_that_changed_since_it_was_planned_is_refused(
    opened: Opener, tmp_path: Path, change: Callable[[bytes], bytes], reason: Reason
) -> None:
    path, body = tmp_path / "log", b'{"a": 1}\n' * 100
    path.write_bytes(body)
    [run] = opened(path).runs(0)
    assert b"".join(one.body for one in run.lines) == body
    path.write_bytes(change(body))
    with pytest.raises(GapError) as said:
        list(run.lines)
    assert said.value.gap.reason is reason


def test_a_log_that_grows_while_it_is_read_is_no_other(opened: Opener, tmp_path: Path) -> None:
    path, body = tmp_path / "log", b'{"a": 1}\n' * 100
    path.write_bytes(body)
    [run] = opened(path).runs(0)
    with path.open("ab") as more:
        more.write(body)
    assert b"".join(one.body for one in run.lines) == body
