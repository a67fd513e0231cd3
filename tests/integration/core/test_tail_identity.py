"""Which file of a followed folder is which log, whatever the files are called."""

from __future__ import annotations

import os

import pytest

from services.errors import ChangedError
from services.ingest.folder import folders
from services.ingest.followed import Followed
from services.ingest.jsonl import JsonlFile
from tests.support.events import START, line, request
from tests.support.following import World, events


def test_two_logs_with_the_same_beginning_are_two(world: World) -> None:
    """Every log begins with the same line; one grows as the other is rotated, compressed and lost sight of."""
    head = line(request("head", START))
    for n in range(4):
        world.write("app.log", head, *events(10 * n, 10 * n + 5))
        if n % 2:
            world.look()
        if n == 2:
            world.start()
        world.rename("app.log", f"app.log.{9 - n}")
        if n == 1:
            world.compress(f"app.log.{9 - n}")
    world.write("app.log", head)
    world.rest()
    world.write("app.log", *events(50, 55))
    world.rest()
    assert world.counted == 1 + 5 * 5
    assert world.gaps == []


def test_a_young_log_is_nobody_until_its_first_line_is_whole(world: World) -> None:
    whole = line(request("r0", START))
    world.write("app.log", whole[:50], end=b"")
    world.rest()
    assert world.positions == []
    world.write("app.log", whole[50:], *events(1, 3))
    world.look()
    assert world.counted == 3
    assert len(world.positions) == 1


def test_a_copy_that_is_still_being_made_is_no_log(world: World) -> None:
    whole = b"\n".join(events(0, 50)) + b"\n"
    world.write("app.log", whole, end=b"")
    world.look()
    for size in (100, 3000, 9000, len(whole)):
        (world.folder / "app.log.1").write_bytes(whole[:size])
        world.look()
    world.rest()
    assert world.counted == 50
    assert len(world.positions) == 1


def test_one_file_of_two_names_is_read_once(world: World) -> None:
    world.write("app.log", *events(0, 5))
    (world.folder / "current.log").symlink_to("app.log")
    os.link(world.folder / "app.log", world.folder / "other.log")
    world.rest()
    assert world.counted == 5


def test_a_new_file_that_got_a_deleted_one_s_inode_is_another_log(world: World) -> None:
    for n in range(6):
        world.write(f"pod-{n}.log", *events(10 * n, 10 * n + 3))
        world.look()
        (world.folder / f"pod-{n}.log").unlink()
        world.rest()
    assert world.counted == 18


def test_a_file_that_was_ingested_before_goes_on_from_there(world: World) -> None:
    world.write("app.log", *events(0, 5))
    source = JsonlFile(world.folder / "app.log", world.clock)
    world.ingestion.read(source)
    world.ingestion.finish(source)
    world.write("app.log", *events(5, 7))
    world.start()
    world.rename("app.log", "app.log.1")
    world.look()
    assert world.counted == 7
    assert len(world.positions) == 1


def test_a_finished_log_that_grows_is_read_on(world: World) -> None:
    world.write("app.log", *events(0, 5))
    world.look()
    world.rename("app.log", "app.log.1")
    world.rest()
    assert world.open == []
    world.write("app.log.1", *events(5, 6))
    world.look()
    assert world.counted == 6


def test_a_file_that_two_words_name_is_followed_once(world: World) -> None:
    world.write("app.log", *events(0, 5))
    world.words = (str(world.folder), str(world.folder / "app.log"), str(world.folder / "*.log"))
    world.start()
    world.look()
    assert world.counted == 5
    assert len(world.tails) == 1


@pytest.mark.parametrize("then", [b"", b"\n".join(events(9_000, 29_000)) + b"\n"], ids=["short", "long"])
def test_a_log_that_is_cut_while_it_is_read_gives_no_run_of_two_logs(
    world: World, then: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.ingest.jsonl.RUN_BYTES", 1 << 19)
    world.write("app.log", *events(0, 9_000))
    found = next(iter(folders(world.words)[0].files(["app.log"]).values()))
    file = Followed(found, world.clock)
    file.check(0, "")
    runs = file.runs(0)
    first = next(runs)
    assert first.start < first.end < 1 << 20
    (world.folder / "app.log").write_bytes(then)
    with pytest.raises(ChangedError):
        next(runs)
    file.close()
