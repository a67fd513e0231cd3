"""Folders that are followed: which files in them are logs, as one look shows them, oldest of a name first."""

from __future__ import annotations

import fnmatch
import os
import re
import stat
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from services.errors import UsageError

COMPRESSED = (".gz", ".bz2", ".xz")
UNREADABLE = (".zst", ".lz4", ".zip", ".Z")
"""Endings of compressed files that can be read, and of those that cannot."""
LOGS = (".jsonl", ".ndjson", ".log")
"""How the files of a folder end that are taken for logs, before what rotation adds to their names."""

_ADDED = re.compile(r"(?P<base>.+?)(?P<added>[.\-_]\d[\d\-_.:T]*|\.old|\.bak)?")
_NAMES = 4_096
_COUNTER = re.compile(r"\.\d{1,5}")

Wanted = Callable[[str], bool]
Key = tuple[int, int]
State = tuple[int, int]
Order = tuple[str, int, int, str]


@dataclass(frozen=True, slots=True)
class Found:
    """A file at one look. `key` is its inode, which may be another file's at the next look; `state` size and time."""

    path: Path
    key: Key
    state: State

    @property
    def size(self) -> int:
        """Its bytes."""
        return self.state[0]


@dataclass(slots=True)
class Folder:
    """A folder and which of its files are wanted. Never looks into folders inside it."""

    path: Path
    wanted: list[Wanted] = field(default_factory=list)

    def files(self, names: Iterable[str]) -> dict[Key, Found]:
        """Those of these files that are there now; one of several names for one file."""
        found: dict[Key, Found] = {}
        for name in sorted(names, key=order):
            try:
                status = os.stat(self.path / name)
            except OSError:  # gone again, or a link to nothing
                continue
            if stat.S_ISREG(status.st_mode):
                file = as_found(self.path / name, status)
                found.setdefault(file.key, file)
        return found

    def names(self) -> dict[str, int]:
        """The wanted names, each with the inode that the folder gives it: equal ones mean that nothing was renamed.

        `OSError` if the folder cannot be read.
        """
        with os.scandir(self.path) as entries:
            return {entry.name: entry.inode() for entry in entries if self.wants(entry.name)}

    def wants(self, name: str) -> bool:
        """Whether a file of this name is followed."""
        return any(wanted(name) for wanted in self.wanted) and name.isprintable()


def as_found(path: Path, status: os.stat_result) -> Found:
    """What a file's status says of it."""
    return Found(path, (status.st_dev, status.st_ino), (status.st_size, status.st_mtime_ns))


def is_compressed(name: str) -> bool:
    """Whether the name says that the file is compressed, in a way that can be read."""
    return name.endswith(COMPRESSED)


@lru_cache(_NAMES)
def base_name(name: str) -> str:
    """The name without what rotation and compression added: `app.log.2.gz`, `app.log-20261124` → `app.log`."""
    plain = _plain(name)
    found = _ADDED.fullmatch(plain)
    return found["base"] if found else plain


@lru_cache(_NAMES)
def order(name: str) -> Order:
    """Sorts the files of one log by age: dates, then counters downwards, then the one that is written."""
    base, plain = base_name(name), _plain(name)
    added = plain[len(base) :]
    if not added:
        return base, 2, 0, name
    if _COUNTER.fullmatch(added):
        return base, 1, -int(added[1:]), name
    return base, (0 if added[1].isdigit() else 1), 0, name


def folders(given: Iterable[str]) -> list[Folder]:
    """The folders of what was named: a folder, a file with its rotated ones, or a pattern; each folder once."""
    found: dict[Path, Folder] = {}
    for word in given:
        path = Path(word)
        place, wanted = (path, _is_log) if path.is_dir() else (path.parent, _named(path))
        if not place.is_dir():
            raise UsageError(f"{word}: No such file or directory")
        place = place.resolve()
        found.setdefault(place, Folder(place)).wanted.append(wanted)
        try:
            found[place].names()
        except OSError as error:
            raise UsageError(f"{word}: {error.strerror or 'cannot be read'}") from None
    return list(found.values())


def _named(path: Path) -> Wanted:
    name = path.name
    if any(mark in name for mark in "*?["):
        return lambda other: not other.startswith(".") and fnmatch.fnmatchcase(other, name)
    if not path.exists():
        raise UsageError(f"{path}: No such file or directory")
    return lambda other: name in (other, _plain(other), base_name(other))


def _is_log(name: str) -> bool:
    return not name.startswith(".") and base_name(name).endswith(LOGS)


def _plain(name: str) -> str:
    for ending in (*COMPRESSED, *UNREADABLE):
        name = name.removesuffix(ending)
    return name
