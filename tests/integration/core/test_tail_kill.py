"""The whole service killed again and again while its logs are written and rotated: the facts of the whole log."""

from __future__ import annotations

import gzip
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from sqlite3 import OperationalError, connect

import pytest

from tests.support.events import line, request

PLAN = """\
deployments:
  shop:
    bucket: 5s
    lateness: 3m
    variants: {shop-int4: {}}
    slices: [{name: orders, where: {tags: {route: order}}}]
    correction: {horizon: 30s}
"""
BATCHES, SIZE = 50, 20
KILLS = (7, 19, 33, 44)


def batches() -> list[bytes]:
    """Batches of lines of a few seconds, with conversations whose second turn repeats the first, and copies."""
    dice, start = random.Random(3), time.time() - 20
    lines: list[bytes] = []
    for n in range(BATCHES * SIZE):
        talk = dice.randrange(400)
        asked = {"role": "user", "content": f"where is parcel number {talk} of mine today"}
        tags = {"route": "order" if n % 3 else "chat"}
        lines.append(line(request(f"r{n}", start + n / 100, conversation=f"c{talk}", messages=[asked], tags=tags)))
        if dice.random() < 0.05:
            lines[-1] = lines[dice.randrange(len(lines))]
    return [b"".join(one + b"\n" for one in lines[at : at + SIZE]) for at in range(0, len(lines), SIZE)]


class Rotated:
    """A log that is written, renamed, copied and cut, and compressed, as logrotate does all of it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.log = folder / "app.log"
        self.turns = 0

    def write(self, batch: bytes) -> None:
        with self.log.open("ab") as file:
            file.write(batch)

    def rename(self) -> None:
        self.log.rename(self._next())

    def copy_and_cut(self) -> None:
        shutil.copy(self.log, self._next())
        self.log.open("wb").close()

    def compress(self) -> None:
        for path in self.folder.glob("app.log.[0-9]*"):
            if path.suffix != ".gz":
                packed = path.with_name(f"{path.name}.gz")
                packed.write_bytes(gzip.compress(path.read_bytes()))
                shutil.copystat(path, packed)
                path.unlink()

    def _next(self) -> Path:
        self.turns += 1
        return self.folder / f"app.log.{1000 - self.turns}"


class Service:
    """`quantwatch up --tail FOLDER`, as often as it takes."""

    def __init__(self, place: Path, logs: Path) -> None:
        self.place = place
        flags = ["--port", "0", "--dashboard-port", "0", "--no-shadow", "--tail", str(logs)]
        self.command = [sys.executable, "-m", "services", "up", *flags, *store(place, "followed")]
        self.start()

    def start(self) -> None:
        self.process = subprocess.Popen(self.command, stderr=subprocess.DEVNULL)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    @property
    def read(self) -> int:
        """Bytes of all logs that were taken."""
        with closing(connect(self.place / "followed.db")) as connection:
            try:
                row = connection.execute("select sum(next) from position where source != 'inbox'").fetchone()
                return int(row[0] or 0)
            except OperationalError:  # no tables yet
                return 0

    def wait_for(self, wanted: int) -> None:
        deadline = time.monotonic() + 60
        while self.read < wanted:
            assert time.monotonic() < deadline, (self.read, wanted)
            assert self.process.poll() is None
            time.sleep(0.05)


def store(place: Path, name: str) -> list[str]:
    """The options that name the plan and a store."""
    return ["--plan", str(place / "plan.yaml"), "--db", f"sqlite:///{place / name}.db"]


def quantwatch(*words: str) -> str:
    return subprocess.run([sys.executable, "-m", "services", *words], capture_output=True, check=True, text=True).stdout


@pytest.mark.slow
def test_a_service_killed_again_and_again_counts_every_line_of_rotated_logs_once(tmp_path: Path) -> None:
    (tmp_path / "plan.yaml").write_text(PLAN)
    (tmp_path / "logs").mkdir()
    written, dice = batches(), random.Random(4)
    log = Rotated(tmp_path / "logs")
    service = Service(tmp_path, log.folder)
    turns: list[Callable[[], None]] = [log.rename, log.copy_and_cut]
    total = 0
    try:
        for n, batch in enumerate(written):
            log.write(batch)
            total += len(batch)
            if n % 5 == 3:
                dice.choice(turns)()
            if n % 11 == 6:
                log.compress()
            if n in KILLS:
                service.wait_for(int(total * dice.uniform(0.6, 1.0)))
                service.kill()
                if dice.random() < 0.5:
                    log.compress()
                service.start()
            time.sleep(dice.uniform(0.0, 0.1))
        service.wait_for(total)
        time.sleep(1.0)
    finally:
        service.kill()
    assert service.read == total
    (tmp_path / "whole.jsonl").write_bytes(b"".join(written))
    quantwatch("ingest", str(tmp_path / "whole.jsonl"), *store(tmp_path, "whole"))

    undisturbed = quantwatch("facts", "--seal", "--json", *store(tmp_path, "whole")).splitlines()
    assert len(undisturbed) > 20
    assert quantwatch("facts", "--seal", "--json", *store(tmp_path, "followed")).splitlines() == undisturbed
    assert quantwatch("quarantine", "gaps", "--json", *store(tmp_path, "followed")[2:]) == "[]\n"
