"""Which file is which log: by its first line and by what it holds before the position, never by name or inode."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from monitor.run import Batch
from services.errors import ChangedError
from services.gap import Reason
from services.ingest.folder import Found, State, base_name
from services.ingest.followed import Followed
from services.ports import Clock
from services.store.positions import Position


@dataclass(slots=True)
class Log:
    """One log: how far it was read, and the file that it lies in now, which is open while it is followed.

    `drained` is that file's state when it was last read to its end; `seen` is the most that the log was ever long.
    `since` is when its file last changed, or was lost; `moved` says that another is written by now where it was.
    `held` says that it holds up sealing in this process. `base` is the file's name before any rotation. `round` counts
    on from one reading to the next: what was found in an earlier one is older.
    """

    name: str
    base: str
    incarnation: str
    next: int = 0
    mark: str = ""
    closed: bool = False
    home: Found | None = None
    source: Followed | None = None
    held: bool = False
    drained: State | None = None
    seen: int = 0
    since: int = 0
    moved: bool = False
    round: int = 0
    lost: Reason = Reason.DELETED

    @property
    def is_drained(self) -> bool:
        """Whether its file is as it was when it was read to its end."""
        return self.home is not None and self.home.state == self.drained

    @property
    def is_lost(self) -> bool:
        """Whether it lies in no file, though it is not finished."""
        return self.home is None and not self.closed

    def note(self, batch: Batch) -> None:
        """Takes note of a committed batch."""
        self.next, self.mark = batch.end, batch.mark

    def fits(self, file: Followed) -> bool:
        """Whether a file with the same first line holds all that was read of this log."""
        return file.holds(self.next, self.mark)

    def settle(self, file: Followed, found: Found, now: int) -> None:
        """From now on it lies in this file."""
        self.moved, self.lost = self.lost is Reason.CUT, Reason.DELETED
        self.source, self.home, self.drained, self.since = file, found, None, now
        file.name = self.name

    def leave(self, why: Reason, now: int) -> None:
        """From now on it lies in no file."""
        if self.source is not None:
            self.source.close()
        self.home = self.source = self.drained = None
        self.lost, self.since = why, now

    def leave_changed(self, now: int) -> None:
        """It no longer lies in its file, which was cut or written anew."""
        assert self.source is not None
        self.leave(Reason.CUT if self.source.size < self.next else Reason.REWRITTEN, now)


@dataclass(slots=True)
class Logs:
    """All logs of a folder that were ever followed."""

    folder: Path
    clock: Clock
    all: dict[str, Log] = field(default_factory=dict)
    _alike: dict[str, list[Log]] = field(default_factory=dict)
    _bases: set[str] = field(default_factory=set)

    @property
    def prefixes(self) -> tuple[str, str]:
        """How the names of their sources begin: a file that was read by itself before keeps its name."""
        return f"tail:{self.folder}/", f"file:{self.folder}/"

    def restore(self, stored: Iterable[Position], now: int) -> None:
        """Takes note of those stored positions that are of this folder."""
        for row in stored:
            kind, _, rest = row.source.partition(":")
            path = Path(rest.rpartition(":")[0] if kind == "tail" else rest)
            if path.parent == self.folder:
                base = base_name(path.name)
                self._add(Log(row.source, base, row.incarnation, row.next, row.mark, row.closed, since=now))

    def knows(self, base: str) -> bool:
        """Whether a log of that name was followed before, so that another one is none of something else."""
        return base in self._bases

    def alike(self, incarnation: str) -> Sequence[Log]:
        """The logs with this first line, those first of which most was read."""
        return sorted(self._alike.get(incarnation, ()), key=lambda log: -log.next)

    def place(self, file: Followed, found: Found, now: int) -> Log:
        """The log of a file that was not known: the one that it is from now on, or the one that it is a copy of.

        A file that fits no log begins one. Longer files are to be placed before shorter ones, which may be copies
        that are still being made. Raises what the files raise; then nothing was decided.
        """
        alike = self.alike(file.incarnation)
        for log in alike:
            if log.source is not None and not log.fits(log.source):
                log.leave_changed(now)
            if log.home is None and log.fits(file):
                log.settle(file, found, now)
                return log
        copied = next((log for log in alike if log.home is not None and self._is_copy(file, log, now)), None)
        log = copied or self._new(file)
        if log.home is None:
            log.settle(file, found, now)
        return log

    def _is_copy(self, file: Followed, log: Log, now: int) -> bool:
        """Whether file and log are equal as far as both go. If the file goes further, the log leaves its own for it."""
        assert log.home is not None
        home = log.source or Followed(log.home, self.clock)
        try:
            size, length = file.size, home.size  # in this order: the log may grow meanwhile
            if length < log.next:
                raise ChangedError(f"{home.path} was cut while it was compared")
            same = file.mark(min(size, length)) == home.mark(min(size, length))
        finally:
            if home is not log.source:
                home.close()
        if same and size > length:
            log.leave(log.lost, now)
        return same

    def _new(self, file: Followed) -> Log:
        base = base_name(file.path.name)
        name = plain = f"{self.prefixes[0]}{base}:{file.incarnation}"
        number = 1
        while name in self.all:
            number += 1
            name = f"{plain}-{number}"
        return self._add(Log(name, base, file.incarnation))

    def _add(self, log: Log) -> Log:
        self.all[log.name] = log
        self._bases.add(log.base)
        self._alike.setdefault(log.incarnation, []).append(log)
        return log
