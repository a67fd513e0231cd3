"""Logs that are rotated by another thread while they are looked at: read once, and in their order."""

from __future__ import annotations

import random
import shutil
import threading
import time
from pathlib import Path

import pytest

from tests.support.events import START, random_log
from tests.support.following import World, taken_at_once

LINES = 400


class Rotator(threading.Thread):
    """Writes lines and rotates what it wrote, many times between two looks and in the middle of them."""

    def __init__(self, world: World, lines: list[bytes], seed: int) -> None:
        super().__init__()
        self.world = world
        self.lines = lines
        self.dice = random.Random(seed)
        self.log = world.folder / "app.log"
        self.turns = 0

    def run(self) -> None:
        at = 0
        while at < len(self.lines):
            count = self.dice.choice((1, 5, 10))
            self.world.write("app.log", *self.lines[at : at + count])
            at += count
            self.world.now = max(self.world.now, START + at * 1.5)
            self.rotate(self.dice.random())
            time.sleep(self.dice.uniform(0.0, 0.04))

    def rotate(self, chance: float) -> None:
        if chance < 0.2:
            self.log.rename(self.next_name())
        elif chance < 0.35:
            shutil.copy(self.log, self.next_name())
            self.world.cut("app.log")
        elif chance < 0.45:
            for path in self.world.folder.glob("app.log.[0-9]*[0-9]"):
                self.world.compress(path.name)

    def next_name(self) -> Path:
        self.turns += 1
        return self.log.with_name(f"app.log.{1000 - self.turns}")


@pytest.mark.parametrize("seed", range(3))
def test_logs_that_are_rotated_while_they_are_looked_at_are_read_once_and_in_order(tmp_path: Path, seed: int) -> None:
    lines, dice = list(dict.fromkeys(random_log(seed, LINES))), random.Random(seed)  # no two logs begin alike
    world = World(tmp_path)
    rotator = Rotator(world, lines, seed)
    rotator.start()
    while rotator.is_alive():
        world.look(pause=0.0)
        if dice.random() < 0.1:
            world.start()
    rotator.join()
    world.rest(20)
    world.close()
    assert world.gaps == []
    found, expected = world.taken(), taken_at_once(tmp_path / "once", lines)
    assert {name: found[name] == whole for name, whole in expected.items()} == dict.fromkeys(expected, True)
