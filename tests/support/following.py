"""A followed folder with a clock that a test moves, and what people and tools do to the logs in it."""

from __future__ import annotations

import gzip
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from monitor.plan import Plan
from monitor.run import Batch
from services.ingest.folder import folders
from services.ingest.jsonl import JsonlFile
from services.ingest.tail import Tail
from services.ports import Source
from services.runtime import Ingestion, Summary
from services.store import tables as t
from tests.support.events import START, line, plan, request
from tests.support.stores import everything_of, rows_of, seal_all, store

PLAN = plan(lateness="1h", bot=False)


class Counting(Ingestion):
    """Remembers how many requests each reading accepted."""

    accepted: list[int]

    def read(self, source: Source, progress: Callable[[Batch], None] = lambda _: None) -> Summary:
        def note(batch: Batch) -> None:
            self.accepted.append(batch.accepted)
            progress(batch)

        return super().read(source, note)


class World:
    """`quantwatch up --tail FOLDER` without its API: `look()` is what it does twice a second."""

    def __init__(self, place: Path, watched: Plan = PLAN, *words: str) -> None:
        self.folder = place / "logs"
        self.folder.mkdir(exist_ok=True)
        self.engine = store(place)
        self.plan = watched
        self.now = START
        self.words = words or (str(self.folder),)
        self.tails: list[Tail] = []
        self.accepted: list[int] = []
        self.start()

    def clock(self) -> int:
        return int(self.now * 1000)

    def start(self) -> None:
        """A new process; the old one, if there was one, has been killed."""
        self.close()
        self.ingestion = Counting(self.engine, self.plan, self.clock)
        self.ingestion.accepted = self.accepted
        self.tails = [Tail(folder, self.engine, self.clock) for folder in folders(self.words)]

    def close(self) -> None:
        """Gives the file handles back."""
        for tail in self.tails:
            tail.close()

    def look(self, times: int = 1, pause: float = 0.5) -> None:
        """Sees what is there and takes it, so many times."""
        for _ in range(times):
            self.now += pause
            for tail in self.tails:
                tail.find(self.ingestion)
            for tail in self.tails:
                tail.take(self.ingestion)

    def rest(self, seconds: float = 6.0) -> None:
        """Goes on for long enough for all pauses of rotation."""
        self.look(int(seconds / 0.5))

    def write(self, name: str, *lines: bytes, end: bytes = b"\n") -> None:
        """Appends lines to a log, and what comes after the last one."""
        with (self.folder / name).open("ab") as file:
            file.write(b"\n".join(lines) + end)

    def rename(self, old: str, new: str) -> None:
        (self.folder / old).rename(self.folder / new)

    def compress(self, name: str) -> None:
        """As gzip does it: a new file with the old one's times, then the old one goes."""
        old, new = self.folder / name, self.folder / f"{name}.gz"
        new.write_bytes(gzip.compress(old.read_bytes()))
        shutil.copystat(old, new)
        old.unlink()

    def cut(self, name: str) -> None:
        (self.folder / name).open("wb").close()

    @property
    def gaps(self) -> list[tuple[str, int, int | None, str]]:
        """(name of the log, position, until, reason) in the order in which they were recorded."""
        return [(_short(row.source), row.position, row.until, row.reason) for row in rows_of(self.engine, t.gap)]

    @property
    def positions(self) -> list[int]:
        """How far each log was read, those first that were found first."""
        with self.engine.connect() as connection:
            return list(connection.scalars(sa.select(t.position.c.next).order_by(sa.text("rowid"))))

    @property
    def open(self) -> list[str]:
        """The logs that hold up sealing."""
        return [_short(row.source) for row in rows_of(self.engine, t.position) if not row.closed]

    @property
    def counted(self) -> int:
        """How many requests were counted."""
        return sum(self.accepted)

    def taken(self) -> dict[str, Any]:
        """All that was made of the logs, without where it lay."""
        seal_all(self.engine, self.plan)
        found = everything_of(self.engine)
        kept = {name: found[name] for name in ("facts", "pair", "arm", "queue", "pair_text", "open_join")}
        return kept | {"quarantine": {(row.reason, row.body) for row in rows_of(self.engine, t.quarantine)}}


def events(first: int, last: int) -> list[bytes]:
    """Requests as lines, one a second from the start on."""
    return [line(request(f"r{n}", START + n)) for n in range(first, last)]


def taken_at_once(place: Path, lines: list[bytes], watched: Plan = PLAN) -> dict[str, Any]:
    """The same of one file that held everything, ingested once."""
    place.mkdir()
    (place / "all.jsonl").write_bytes(b"\n".join(lines) + b"\n")
    world = World(place, watched)
    world.now += 100_000
    source = JsonlFile(place / "all.jsonl", world.clock)
    world.ingestion.read(source)
    world.ingestion.finish(source)
    return world.taken()


def _short(source: str) -> str:
    """The name of the log in the name of a source."""
    kind, _, path = source.partition(":")
    return (path.rpartition(":")[0] if kind == "tail" else path).rsplit("/", 1)[-1]
