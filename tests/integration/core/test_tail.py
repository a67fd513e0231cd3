"""Logs in a followed folder go on through all that happens to them, and what is lost is recorded."""

from __future__ import annotations

import bz2
import gzip
import lzma
import shutil

import pytest

from tests.support.events import START, line, request
from tests.support.following import World, events, taken_at_once


def test_a_renamed_log_goes_on_where_it_was_and_the_new_one_begins(world: World) -> None:
    world.write("app.log", *events(0, 5))
    world.look()
    world.rename("app.log", "app.log.1")
    world.write("app.log.1", *events(5, 7))  # its writer has not noticed yet
    world.write("app.log", *events(7, 9))
    world.rest()
    assert world.counted == 9
    assert len(world.positions) == 2
    assert world.gaps == []


def test_what_was_rotated_while_nobody_looked_is_known_again(world: World) -> None:
    world.write("app.log", *events(0, 5))
    world.look()
    world.close()
    world.write("app.log", *events(5, 8))
    world.rename("app.log", "app.log.1")
    world.write("app.log", *events(8, 10))
    world.compress("app.log.1")
    world.rename("app.log", "app.log.2")
    world.write("app.log", *events(10, 12))
    world.start()
    world.rest()
    assert world.counted == 12
    assert len(world.positions) == 3


@pytest.mark.parametrize(("ending", "pack"), [(".gz", gzip.compress), (".bz2", bz2.compress), (".xz", lzma.compress)])
def test_a_compressed_copy_is_the_log_that_it_was(world: World, ending: str, pack) -> None:  # type: ignore[no-untyped-def]
    world.write("app.log", *events(0, 5))
    world.look()
    world.close()
    world.write("app.log", *events(5, 8))
    old = world.folder / "app.log"
    (world.folder / f"app.log.1{ending}").write_bytes(pack(old.read_bytes()))
    old.unlink()
    world.start()
    world.look(3)
    assert world.counted == 8
    assert len(world.positions) == 1
    assert world.open == []


def test_a_folder_that_was_rotated_before_is_read_oldest_first(world: World) -> None:
    """A conversation's turns lie in different files; read in another order, other turns are corrections."""
    talk = {"conversation": "c", "messages": [{"role": "user", "content": "which shoes are there for children"}]}
    turns = [line(request(f"r{n}", START + n, turn=n + 1, **talk)) for n in range(3)]
    for name, turn in zip(("app.log.2", "app.log.1", "app.log"), turns, strict=True):
        world.write(name, turn)
    world.compress("app.log.2")
    world.look(2)
    assert world.taken() == taken_at_once(world.folder.parent / "once", turns)
    assert world.positions == [len(turn) + 1 for turn in turns]


def test_a_log_that_was_copied_and_cut_loses_nothing_that_is_in_the_copy(world: World) -> None:
    world.write("app.log", *events(0, 5))
    world.look()
    world.write("app.log", *events(5, 8))
    shutil.copy(world.folder / "app.log", world.folder / "app.log.1")
    world.cut("app.log")
    world.write("app.log", *events(8, 9))
    world.rest()
    assert world.counted == 9
    assert world.gaps == []


def test_a_log_that_was_cut_without_a_copy_leaves_a_gap_and_goes_on(world: World) -> None:
    world.write("app.log", *events(0, 5))
    world.look()
    read = world.positions[0]
    world.cut("app.log")
    world.write("app.log", *events(8, 10))
    world.rest()
    assert world.counted == 7
    assert world.gaps == [("app.log", read, None, "cut")]
    assert len(world.positions) == 2


def test_the_unread_end_of_a_cut_log_is_known_where_it_was_seen(world: World) -> None:
    world.write("app.log", *events(0, 5))
    world.write("app.log", b'{"half": "a line', end=b"")
    world.look()
    read = world.positions[0]
    world.cut("app.log")
    world.rest()
    assert world.gaps == [("app.log", read, read + 16, "cut")]


def test_a_log_that_was_written_anew_at_the_same_length_is_noticed(world: World) -> None:
    world.write("app.log", *events(0, 5))
    world.look()
    read = world.positions[0]
    (world.folder / "app.log").write_bytes(b"\n".join(events(105, 110)) + b"\n")
    world.rest()
    assert world.counted == 10
    assert world.gaps == [("app.log", read, None, "rewritten")]


def test_a_hole_where_a_cut_log_was_is_no_reason_to_stop(world: World) -> None:
    """A writer that does not append goes on behind what was cut; the file begins with zeros then."""
    with (world.folder / "app.log").open("wb", buffering=0) as writer:
        writer.write(b"\n".join(events(0, 5)) + b"\n")
        world.look()
        world.cut("app.log")
        writer.write(b"\n".join(events(5, 8)) + b"\n")
        world.rest()
    assert world.counted == 7, "the line with the hole is no JSON"
    assert [reason for reason, _ in world.taken()["quarantine"]] == ["not_json"]
    assert len(world.gaps) == 1


def test_a_log_that_is_deleted_while_it_is_followed_is_read_to_its_end(world: World) -> None:
    world.write("app.log", *events(0, 2))
    world.look()
    world.write("app.log", *events(2, 5))
    (world.folder / "app.log").unlink()
    world.rest()
    assert world.counted == 5
    assert world.gaps == []
    assert world.open == []


def test_a_log_that_was_deleted_while_nobody_looked_leaves_a_gap_and_holds_nothing_up(world: World) -> None:
    world.write("app.log", *events(0, 5))
    world.look()
    read = world.positions[0]
    (world.folder / "app.log").unlink()
    world.start()
    world.look(2)
    assert world.gaps == [], "it may come back in a moment"
    world.rest()
    assert world.gaps == [("app.log", read, None, "deleted")]
    assert world.open == []
    world.start()
    world.rest()
    assert len(world.gaps) == 1


def test_a_log_that_is_still_being_compressed_at_the_start_is_read_before_its_successors(world: World) -> None:
    talk = {"conversation": "c", "messages": [{"role": "user", "content": "which shoes are there for children"}]}
    turns = [line(request(f"r{n}", START + n, turn=n + 1, **talk)) for n in range(40)]
    packed = gzip.compress(b"\n".join(turns[:20]) + b"\n")
    for size in (5, len(packed) // 2, len(packed)):
        (world.folder / "app.log.1.gz").write_bytes(packed[:size])
        if size == 5:
            world.write("app.log", *turns[20:])
        world.look()
        assert world.counted <= 20, "the second log waits for the first"
    world.rest()
    assert world.taken() == taken_at_once(world.folder.parent / "once", turns)


def test_a_finished_log_that_went_on_while_nobody_looked_is_read_at_the_first_look(world: World) -> None:
    """Its compressed file is one of many; those that say that they were read to their end are unpacked later."""
    for n in range(5):
        world.write(f"old-{n}.log", *events(10 * n, 10 * n + 3))
    world.write("app.log", *events(100, 103))
    world.look()
    world.now += 7200
    world.look(2)
    assert world.open == []
    world.close()
    for n in range(5):
        world.compress(f"old-{n}.log")
    world.write("app.log", *events(7300, 7302))
    world.rename("app.log", "app.log.1")
    world.compress("app.log.1")
    world.write("app.log", *events(7302, 7303))
    world.start()
    world.look()
    assert world.counted == 18 + 3
    world.rest()
    assert (world.counted, len(world.positions), world.gaps) == (21, 7, [])
