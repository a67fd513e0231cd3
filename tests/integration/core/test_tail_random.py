"""Any schedule of writing, rotating and killing gives the facts of the whole log, ingested once."""

from __future__ import annotations

import gzip
import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.events import START, line, random_log, request
from tests.support.following import World, events, taken_at_once

LINES = 300


class Operator:
    """Writes a log, rotates it in every way there is, and kills its reader, as the dice fall."""

    def __init__(self, world: World, lines: list[bytes], seed: int) -> None:
        self.world = world
        self.folder = world.folder
        self.lines = lines
        self.dice = random.Random(seed)
        self.at = 0
        self.heading: list[bytes] = []

    def play(self, *more: Callable[[], None]) -> None:
        acts = (self.write, self.write, self.write_half, self.rename, self.copy_and_cut, self.compress, self.wait)
        while self.at < len(self.lines):
            self.dice.choice((*acts, *more))()
            if self.dice.random() < 0.1:
                self.world.start()
            self.maybe_look()

    def maybe_look(self) -> None:
        if self.dice.random() < 0.5:
            self.world.look()

    def write(self) -> None:
        count = self.dice.choice((1, 2, 5, 20))
        new = self.lines[self.at : self.at + count]
        self.at += count
        self.world.now = max(self.world.now, START + self.at * 1.5)
        if new:
            begun = (self.folder / "app.log").exists() and (self.folder / "app.log").stat().st_size
            self.world.write("app.log", *(new if begun else self.heading + new))

    def write_half(self) -> None:
        """Half a line, a look, then the rest through the same handle, even if the file was renamed meanwhile."""
        if self.at >= len(self.lines):
            return
        line = self.lines[self.at] + b"\n"
        self.at += 1
        with (self.folder / "app.log").open("ab", buffering=0) as file:
            half = self.dice.randrange(len(line))
            file.write(line[:half])
            self.maybe_look()
            if self.dice.random() < 0.3:
                self.rename()
                self.maybe_look()
            file.write(line[half:])

    def shift(self) -> None:
        """Each rotated log counts one more; what was cut off was long."""
        rotated = sorted(self.folder.glob("app.log.*"), key=lambda path: -int(path.name.split(".")[2]))
        for path in rotated:
            words = path.name.split(".")
            words[2] = str(int(words[2]) + 1)
            path.rename(self.folder / ".".join(words))
            if self.dice.random() < 0.1:
                self.world.look()

    def rename(self) -> None:
        if (self.folder / "app.log").exists():
            self.shift()
            self.world.rename("app.log", "app.log.1")

    def copy_and_cut(self) -> None:
        log = self.folder / "app.log"
        if not log.exists() or not log.stat().st_size:
            return
        self.shift()
        whole = log.read_bytes()
        copy = self.folder / "app.log.1"
        copy.write_bytes(whole[: self.dice.randrange(len(whole) + 1)])
        self.maybe_look()
        copy.write_bytes(whole)
        self.maybe_look()
        self.world.cut("app.log")

    def compress(self) -> None:
        plain = [path for path in self.folder.glob("app.log.*") if not path.name.endswith(".gz")]
        if not plain:
            return
        path = self.dice.choice(plain)
        packed = gzip.compress(path.read_bytes())
        new = path.with_name(path.name + ".gz")
        new.write_bytes(packed[: self.dice.randrange(len(packed))])
        self.maybe_look()
        new.write_bytes(packed)
        shutil.copystat(path, new)
        self.maybe_look()
        path.unlink()

    def lose(self) -> None:
        """Cuts the log without a copy, or deletes a rotated one, while it is followed or while nobody looks."""
        if self.dice.random() < 0.5:
            self.world.start()
        paths = list(self.folder.glob("app.log*"))
        if not paths:
            return
        path = self.dice.choice(paths)
        if path.name == "app.log" and self.dice.random() < 0.7:
            self.world.cut("app.log")
        else:
            path.unlink()

    def wait(self) -> None:
        self.world.look(self.dice.choice((1, 4, 15)))


@pytest.mark.parametrize("seed", range(8))
def test_any_schedule_gives_the_facts_of_the_whole_log(tmp_path: Path, seed: int) -> None:
    lines = random_log(seed, LINES)
    world = World(tmp_path)
    Operator(world, lines, seed).play()
    world.rest(20)
    world.close()
    taken = world.taken()
    assert world.gaps == []
    assert taken == taken_at_once(tmp_path / "once", lines)


@pytest.mark.parametrize("seed", range(8))
def test_logs_that_all_begin_alike_are_taken_once_and_what_is_lost_leaves_a_gap(tmp_path: Path, seed: int) -> None:
    lines = events(0, LINES)
    world = World(tmp_path)
    operator = Operator(world, lines, seed)
    operator.heading = [line(request("head", START))]
    losses = (operator.lose,) if seed % 2 else ()
    operator.play(*losses)
    world.rest(20)
    world.close()
    missing = LINES + 1 - world.counted
    assert missing >= 0, "nothing counts twice"
    if not losses:
        assert (missing, world.gaps) == (0, [])
    assert missing == 0 or world.gaps
