"""What a followed folder showed at the last look, and for how long each file has been as it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from services.ingest.folder import Folder, Found, Key, State, base_name, is_compressed
from services.ports import Clock


@dataclass(frozen=True, slots=True)
class Pauses:
    """Milliseconds without change after which something is made of it.

    `settle`: a file that was renamed, copied or deleted is finished, a broken one given up. `idle`: so is a file that
    is called what it always was; its last line will not be ended any more. `grace`: a log that is nowhere is missing,
    and a compressed file has been written.
    """

    settle: int = 5_000
    idle: int = 3_600_000
    grace: int = 2_000


PAUSES: Final = Pauses()


class View:
    """The files of one folder, as of the last look at `now`."""

    def __init__(self, folder: Folder, clock: Clock, pauses: Pauses) -> None:
        self.folder = folder
        self.pauses = pauses
        self.now = clock()
        self.files: dict[Key, Found] = {}
        self._clock = clock
        self._listed: dict[str, int] = {}
        self._names: set[str] = set()
        self._since: dict[Key, tuple[State, int, int]] = {}

    def look(self) -> None:
        """Sees what the folder holds now. `OSError`, and nothing changed, where it cannot be read."""
        now, self._listed = self._clock(), self.folder.names()
        self.now, self.files = now, self.folder.files(self._listed)
        self._names = {file.path.name for file in self.files.values()}
        self._since = {key: self._unchanged_since(file) for key, file in self.files.items()}

    def is_steady(self) -> bool:
        """Whether no file was renamed, made or deleted since the look began, so that none can have been missed."""
        return self.folder.names() == self._listed

    def quiet(self, file: Found) -> int:
        """Milliseconds since a file that is there was first seen as it is."""
        return self.now - self._since[file.key][1]

    def is_rotated(self, file: Found) -> bool:
        """Whether its name says so, and the file that is written lies beside it."""
        base = base_name(file.path.name)
        return base != file.path.name and base in self._names

    def is_finished(self, file: Found) -> bool:
        """Whether a file that is there will bring nothing more."""
        quiet = self.quiet(file)
        moved = quiet >= self.pauses.settle and self.is_rotated(file)
        return is_compressed(file.path.name) or moved or quiet >= self.pauses.idle

    def is_growing(self, file: Found) -> bool:
        """Whether it changed a moment ago, since it was first seen."""
        _, since, first = self._since.get(file.key, (None, self.now, self.now))
        return since > first and self.now - since < self.pauses.grace

    def _unchanged_since(self, file: Found) -> tuple[State, int, int]:
        """Its state, since when it has that, and since when it has been seen."""
        state, since, first = self._since.get(file.key, (None, 0, self.now))
        return file.state, since if state == file.state else self.now, first
