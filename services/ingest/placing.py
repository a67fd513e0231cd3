"""What became of a folder's files since the last look: which log lies in which, and which are left aside."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Final

from services.errors import ChangedError, DamagedError
from services.ingest.aside import Shelf, Why
from services.ingest.folder import UNREADABLE, Found, Order, base_name
from services.ingest.followed import Followed
from services.ingest.jsonl import HEAD
from services.ingest.logs import Log, Logs
from services.ingest.view import View
from services.ports import Clock

_log = logging.getLogger(__name__)


_TRIES: Final = 3
_TORN: Final = 20


class Placing:
    """Keeps every file of a view either as the home of one log, or aside for a reason.

    `broken` are compressed files of which nothing can be said that were found since this was last emptied.
    """

    def __init__(self, view: View, logs: Logs, clock: Clock) -> None:
        self._view = view
        self._logs = logs
        self._clock = clock
        self._shelf = Shelf(view)
        self._torn = 0
        self.broken: list[Found] = []
        self._said: set[str] = set()

    @property
    def is_sure(self) -> bool:
        """Whether the last look saw all that the folder held, so that what it did not see is not there."""
        return self._torn == 0

    def look(self) -> bool:
        """Sees what the folder holds now; changes nothing where it cannot be read.

        False if files were renamed all the while, so that one is missing or without a place, and what is read now might
        be read before it. After some such looks in a row this is no longer said, so that reading goes on.
        """
        self._torn += 1
        self._shelf.begin()
        for _ in range(_TRIES):
            try:
                self._view.look()
                steady = self._place_all() and self._view.is_steady()
            except OSError as error:
                self.say(f"{self._view.folder.path}: {error.strerror}")
                return True
            if steady:
                self._torn = 0
                self._shelf.round += 1
                return True
        return self._torn > _TORN

    def _place_all(self) -> bool:
        """Places every file; False if one changed meanwhile, and has no place now."""
        for log in self._logs.all.values():
            if log.home is not None:
                self._revisit(log, log.home)
        self._shelf.take_down()
        self._place(self._without_place())
        return not self._without_place()

    def _without_place(self) -> list[Found]:
        homes = {log.home.key for log in self._logs.all.values() if log.home is not None}
        return [file for key, file in self._view.files.items() if key not in homes and key not in self._shelf]

    def may_hide(self, log: Log) -> bool:
        """Whether a log that is nowhere may lie in a file that cannot be read now."""
        return self._shelf.may_hide(log.base)

    def held_back(self) -> dict[str, Order]:
        """By name of a log the place from which on its files are not to be read yet, for an older one is not whole."""
        return self._shelf.held_back({log.base for log in self._logs.all.values() if log.is_lost})

    def say(self, text: str) -> None:
        """Tells the operator, once."""
        if text not in self._said:
            self._said.add(text)
            _log.warning("%s", text)

    def _revisit(self, log: Log, home: Found) -> None:
        """Where a log's file is now. An open one stays its own unless it was cut; a finished one must not have changed.

        What lies in a cut file is another log, and may have to be read before others that are found now.
        """
        file = self._view.files.get(home.key)
        if log.source is None:
            log.home = file if file is not None and file.state == home.state else None
            return
        log.moved = log.moved or file is None or file.path != home.path or self._view.is_rotated(file)
        file = file or log.source.status()
        if file.state != home.state and _was_cut(log.source, log):
            log.leave_changed(self._view.now)
            return
        if file != home:
            log.since = self._view.now
        log.home, log.source.path = file, file.path

    def _place(self, files: Sequence[Found]) -> None:
        opened = []
        for found in files:
            match self._open(found):
                case Followed() as file:
                    opened.append((file, found))
                case Why() as why:
                    self._shelf.put(found, why)
        for file, found in sorted(opened, key=lambda pair: (pair[0].compressed, -pair[1].size)):
            log = self._log_in(file, found)
            if log is None or log.source is not file:
                file.close()

    def _open(self, found: Found) -> Followed | Why | None:
        """The file, open, if it can be said now which log it is; or why not; None if it is gone."""
        if found.path.name.endswith(UNREADABLE):
            self.say(f"{found.path}: is compressed in a way that cannot be read here; left alone")
            return Why.FOREIGN
        try:
            file = Followed(found, self._clock)
        except (FileNotFoundError, ChangedError):
            return None
        except OSError as error:
            self.say(f"{found.path}: {error.strerror}; trying again")
            return Why.UNREADABLE
        except DamagedError as error:
            return self._damaged(found, error)
        if (why := self._unfit(file, found)) is not None:
            file.close()
        return why or file

    def _unfit(self, file: Followed, found: Found) -> Why | None:
        """Why a file cannot be taken for a log, by its beginning; None if it can."""
        finished = self._view.is_finished(found)
        if not file.head or not (finished or file.named):
            return Why.YOUNG
        if file.events or self._logs.knows(base_name(found.path.name)):
            return None
        if len(file.head) < HEAD and not finished:
            return Why.YOUNG
        self.say(f"{found.path}: none of its first lines is a JSON object; left alone")
        return Why.FOREIGN

    def _log_in(self, file: Followed, found: Found) -> Log | None:
        """The log that is to be read from a file, or None; then the file is put aside, or seen again."""
        try:
            if (why := self._can_wait(file, found)) is not None:
                self._shelf.put(found, why)
                return None
            log = self._logs.place(file, found, self._view.now)
            if log.source is not file:
                self._shelf.put(found, Why.COPY, log)
            else:
                log.round = self._shelf.round_of(found)
                self._go_on(log, file)
            return log
        except DamagedError as error:
            why = self._damaged(found, error)
            self._shelf.put(found, Why.GROWING_COPY if why is Why.GROWING else why)
        except (ChangedError, FileNotFoundError):  # seen again at once
            pass
        except OSError as error:
            self.say(f"{found.path}: {error.strerror}; trying again")
            self._shelf.put(found, Why.UNREADABLE)
        return None

    def _go_on(self, log: Log, file: Followed) -> None:
        """Opens a finished log again if its file holds more; else the file is only to be known again."""
        try:
            more = not log.closed or file.has_more(log.next)
        except (DamagedError, OSError):
            log.leave(log.lost, self._view.now)
            raise
        log.closed = not more
        log.source = file if more else None

    def _can_wait(self, file: Followed, found: Found) -> Why | None:
        """Why a compressed file that is most likely a log that is known need not be unpacked now; None if it must."""
        alike = self._logs.alike(file.incarnation)
        if not file.compressed or not alike or found.key == self._shelf.turn:
            return None
        if self._view.is_growing(found):
            return Why.GROWING_COPY
        read = all(log.closed for log in alike) and any(file.seems_read(log.next) for log in alike)
        return Why.UNSURE if read else None

    def _damaged(self, found: Found, error: DamagedError) -> Why:
        if self._view.quiet(found) < self._view.pauses.settle:
            return Why.GROWING
        self.broken.append(found)
        self.say(f"{found.path.parent}/{error}; left alone, recorded as a gap")
        return Why.DAMAGED


def _was_cut(file: Followed, log: Log) -> bool:
    try:
        return not file.compressed and not log.fits(file)
    except OSError:  # which will be said when it is read
        return False
