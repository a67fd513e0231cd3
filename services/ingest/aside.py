"""The files of a followed folder that are not read for now, each with the reason."""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from services.ingest.folder import Found, Key, Order, base_name, is_compressed, order
from services.ingest.logs import Log
from services.ingest.view import View


class Why(StrEnum):
    """Why a file is not read for now. A growing one is compressed, and not whole yet."""

    COPY = "copy"
    FOREIGN = "foreign"
    DAMAGED = "damaged"
    YOUNG = "young"
    GROWING = "growing"
    GROWING_COPY = "growing copy"
    UNREADABLE = "unreadable"
    UNSURE = "unsure"


_MAY_HIDE: Final = (Why.GROWING, Why.GROWING_COPY, Why.UNREADABLE)


@dataclass(frozen=True, slots=True)
class Aside:
    """A file that is not read, in the state that it had; `log` is the one that it is a copy of.

    `round` is the one in which it was first put aside.
    """

    found: Found
    why: Why
    round: int
    log: Log | None = None


class Shelf:
    """All that is aside. `round` counts the looks at which everything was found; `turn` may be unpacked to be sure."""

    def __init__(self, view: View) -> None:
        self.round = 0
        self.turn: Key | None = None
        self._view = view
        self._aside: dict[Key, Aside] = {}
        self._before: dict[Key, Aside] = {}

    def __contains__(self, key: Key) -> bool:
        return key in self._aside

    def begin(self) -> None:
        """Remembers what is aside now, while files are taken away and put back."""
        self._before = dict(self._aside)

    def put(self, found: Found, why: Why, log: Log | None = None) -> None:
        """Puts a file aside."""
        self._aside[found.key] = Aside(found, why, self.round_of(found), log)

    def round_of(self, found: Found) -> int:
        """The round in which a file was found: that in which a compressed one was first there, though not whole."""
        before = self._before.get(found.key)
        same = before is not None and before.found.path == found.path and is_compressed(found.path.name)
        return before.round if before is not None and same else self.round

    def take_down(self) -> None:
        """Takes away what is gone, or has changed, or may have become readable by itself.

        Compressed files that were most likely read already are unpacked to be sure, one at a time.
        """
        self._aside = {
            key: aside for key, aside in self._aside.items() if self._stays(aside, self._view.files.get(key))
        }
        self.turn = next((key for key, aside in self._aside.items() if aside.why is Why.UNSURE), None)
        if self.turn is not None:
            del self._aside[self.turn]

    def may_hide(self, base: str) -> bool:
        """Whether a log of this name that is nowhere may lie in a file that cannot be read now."""
        hidden = (self._view.files[key] for key, aside in self._aside.items() if aside.why in _MAY_HIDE)
        return any(base_name(file.path.name) == base for file in hidden)

    def held_back(self, lost: Container[str]) -> dict[str, Order]:
        """By name the least place of a growing file that may hold what is to be read before others.

        One that begins like a known log may, if it was there at the start or a log of its name is `lost`.
        """
        places: dict[str, Order] = {}
        for key, aside in self._aside.items():
            name = self._view.files[key].path.name
            base = base_name(name)
            copy = aside.why is Why.GROWING_COPY and (aside.round == 0 or base in lost)
            if copy or aside.why is Why.GROWING:
                places[base] = min(order(name), places.get(base, order(name)))
        return places

    def _stays(self, aside: Aside, file: Found | None) -> bool:
        if file is not None and aside.why is Why.FOREIGN and file.size >= aside.found.size:
            return True
        if file is None or file.state != aside.found.state:
            return False
        if aside.why is Why.COPY:
            return aside.log is not None and aside.log.home is not None
        if aside.why is Why.YOUNG:
            return file.size == 0 or is_compressed(file.path.name) or not self._view.is_finished(file)
        return aside.why in (Why.DAMAGED, Why.UNSURE)
