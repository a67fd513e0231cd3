"""What is read of a followed folder's files, what waits, and what is left alone."""

from __future__ import annotations

import gzip
import logging
import os
from pathlib import Path

import pytest

from tests.support.events import START, line, request
from tests.support.following import World, events


def test_a_partial_last_line_waits_until_its_log_is_rotated(world: World) -> None:
    first, second, third = events(0, 3)
    world.write("app.log", first, second[:80], end=b"")
    world.rest(60)
    assert world.counted == 1
    world.start()
    world.write("app.log", second[80:], third, end=b"")
    world.look()
    assert world.counted == 2
    world.rename("app.log", "app.log.1")
    world.write("app.log", *events(3, 4))
    world.look(2)
    assert world.counted == 3, "the writer of the old one may be at it still"
    world.rest()
    assert world.counted == 4
    assert world.open == ["app.log"]


def test_bad_lines_are_kept_aside_as_in_any_file(world: World) -> None:
    good = events(0, 4)
    world.write("app.log", good[0], b"\xff\xfe", b'{"x":"' + b"y" * (5 << 20) + b'"}', good[1], b"\0\0", b"", good[2])
    world.look()
    assert world.counted == 3
    assert sorted(reason for reason, _ in world.taken()["quarantine"]) == ["not_json", "not_utf8", "oversized"]


def test_other_files_of_the_folder_are_left_alone(world: World, caplog: pytest.LogCaptureFixture) -> None:
    world.write("app.jsonl", *events(0, 2))
    for name in ("app.jsonl~", ".app.jsonl.swp", "store.db", "plan.yaml", "readme.txt"):
        world.write(name, *events(2, 4))
    world.write("server.log", *(b"INFO: 127.0.0.1 - POST /v1/chat/completions" for _ in range(3000)))
    world.write("app.jsonl.1.zst", b"(\xb5/\xfd")
    (world.folder / "sub.log").mkdir()
    world.write("sub.log/deeper.log", *events(4, 6))
    os.mkfifo(world.folder / "pipe.log")
    world.rest()
    world.write("server.log", b"INFO: and on")
    world.rest()
    assert world.counted == 2
    said = [record.getMessage() for record in caplog.records]
    assert [text.rsplit("/", 1)[-1] for text in sorted(said)] == [
        "app.jsonl.1.zst: is compressed in a way that cannot be read here; left alone",
        "server.log: none of its first lines is a JSON object; left alone",
    ]


def test_a_pattern_or_a_file_names_what_is_followed(tmp_path: Path) -> None:
    logs = tmp_path / "logs"
    one = World(tmp_path)
    for name in ("chat.json", "chat.json.1", "chat.json-20261124", "other.json", "chats.json"):
        one.write(name, line(request(name, START)))
    one.words = (str(logs / "chat.json"),)
    one.start()
    one.look()
    assert one.counted == 3
    one.words = (str(logs / "o*.json"), str(logs / "chat.json"))
    one.start()
    one.look()
    assert one.counted == 4
    one.close()


def test_a_file_that_cannot_be_opened_is_said_once_and_stops_no_other(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    world.write("app.log", *events(0, 2))
    world.write("shut.log", *events(2, 4))
    shut = world.folder / "shut.log"
    shut.chmod(0)
    for path in (world.folder, *world.folder.parents[:-2]):
        path.chmod(0o755)
    root = os.geteuid() == 0
    try:
        if root:
            os.seteuid(65_534)
        world.tails[0].find(world.ingestion)
        world.tails[0].find(world.ingestion)
    finally:
        if root:
            os.seteuid(0)
    world.tails[0].take(world.ingestion)
    assert world.counted == 2
    assert [record.getMessage().rsplit("/", 1)[-1] for record in caplog.records] == [
        "shut.log: Permission denied; trying again"
    ]
    shut.chmod(0o644)
    world.look()
    assert world.counted == 4


def test_a_broken_compressed_log_is_read_as_far_as_it_goes_and_leaves_a_gap(world: World) -> None:
    packed = gzip.compress(b"\n".join(events(0, 50)) + b"\n")
    (world.folder / "app.log.1.gz").write_bytes(packed[: len(packed) // 2])
    world.write("app.log", *events(50, 52))
    world.rest(8)
    assert [(name, reason) for name, _, _, reason in world.gaps] == [("app.log", "damaged")]
    assert world.open == ["app.log"]
    (world.folder / "app.log.1.gz").write_bytes(packed)
    world.rest()
    assert world.counted == 52


def test_a_folder_that_goes_away_and_comes_back_is_followed_again(world: World, tmp_path: Path) -> None:
    world.write("app.log", *events(0, 2))
    world.look()
    world.folder.rename(tmp_path / "away")
    world.rest()
    (tmp_path / "away").rename(world.folder)
    world.write("app.log", *events(2, 4))
    world.look()
    assert world.counted == 4
    assert world.gaps == []


def test_nothing_of_a_text_is_said(world: World, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    world.write("app.log", line(request("r", START, messages=[{"role": "user", "content": "SECRETWORD"}])))
    world.look()
    world.cut("app.log")
    world.write("app.log", b"SECRETWORD " * 8000)
    world.rest()
    assert world.gaps
    assert "SECRETWORD" not in caplog.text
