"""A folder of logs that goes on, through renaming, compression, cuts and deletion. Nothing is counted twice.

`find` sees what became of the files and lets new logs hold up sealing; `take` reads what is new, older logs first.
Any moment is good to be killed in: which file is which is found out anew from what they hold.
"""

from __future__ import annotations

import sys
from typing import Final

from sqlalchemy.engine import Engine

from services.errors import ChangedError, DamagedError
from services.gap import Gap, Reason
from services.ingest.folder import Folder, Order, is_compressed, order
from services.ingest.logs import Log, Logs
from services.ingest.placing import Placing
from services.ingest.view import PAUSES, Pauses, View
from services.ports import Clock
from services.runtime import Ingestion
from services.store.positions import positions

_LAST: Final[Order] = (chr(sys.maxunicode), 0, 0, "")


class Tail:
    """One followed folder, for one thread."""

    def __init__(self, folder: Folder, engine: Engine, clock: Clock, pauses: Pauses = PAUSES) -> None:
        self.logs = Logs(folder.path, clock)
        self._view = View(folder, clock, pauses)
        self._placing = Placing(self._view, self.logs, clock)
        self._steady = True
        with engine.connect() as connection:
            for prefix in self.logs.prefixes:
                self.logs.restore(positions(connection, prefix), self._view.now)

    def find(self, ingestion: Ingestion) -> None:
        """Looks at the folder. What is to be read of it holds up sealing from now on."""
        self._steady = self._placing.look()
        fresh = [log for log in self._followed() if not log.held]
        ingestion.hold([log.source for log in fresh if log.source is not None])
        for log in fresh:
            log.held = True

    def take(self, ingestion: Ingestion) -> None:
        """Reads what is new since the last time, and makes an end of logs that will bring nothing more."""
        if not self._steady:
            return
        held_back = self._placing.held_back()
        for log in self._followed():
            assert log.home is not None
            if order(log.home.path.name) > held_back.get(log.base, _LAST):
                continue
            if not self._is_being_packed(log) and (not log.is_drained or self._is_finished(log)):
                self._read(ingestion, log)
            if log.home is not None and log.source is not None and log.source.compressed:  # it is not whole yet
                held_back[log.base] = order(log.home.path.name)
        resting = [log.source for log in self._followed() if log.source is not None and log.is_drained]
        ingestion.rest(resting, self._view.now)
        while self._placing.broken:
            file = self._placing.broken.pop()
            ingestion.miss(Gap(f"tail:{file.path}", 0, None, Reason.DAMAGED))
        for log in self.logs.all.values():
            if self._placing.is_sure and self._is_nowhere(log):
                self._give_up(ingestion, log)

    def close(self) -> None:
        """Gives the file handles back. What is still followed stays open in the store, and holds up sealing."""
        for log in self._followed():
            if log.source is not None:
                log.source.close()

    def _followed(self) -> list[Log]:
        """The logs with an open file, older ones first."""
        return sorted((log for log in self.logs.all.values() if log.source is not None), key=self._age)

    def _age(self, log: Log) -> tuple[int, Order, bool]:
        """Of files that were found at once, the name says which is older; of one name, that which has lost it."""
        assert log.home is not None
        return log.round, order(log.home.path.name), log.home.key in self._view.files

    def _is_finished(self, log: Log) -> bool:
        """Whether the file of a log, once it is read to its end, will bring nothing more."""
        assert log.home is not None
        quiet, pauses = self._quiet(log), self._view.pauses
        moved = log.moved and quiet >= pauses.settle
        return is_compressed(log.home.path.name) or moved or quiet >= pauses.idle

    def _is_being_packed(self, log: Log) -> bool:
        assert log.home is not None
        return is_compressed(log.home.path.name) and self._view.is_growing(log.home)

    def _is_nowhere(self, log: Log) -> bool:
        """Whether a log that is not finished lies in no file any more."""
        lost = log.is_lost and self._quiet(log) >= self._view.pauses.grace
        return lost and not self._placing.may_hide(log)

    def _quiet(self, log: Log) -> int:
        return self._view.now - log.since

    def _read(self, ingestion: Ingestion, log: Log) -> None:
        assert log.source is not None
        assert log.home is not None
        finished, state = self._is_finished(log), log.home.state
        log.source.follow = not finished
        try:
            ingestion.read(log.source, log.note)
        except ChangedError:
            log.leave_changed(self._view.now)  # it may lie in a copy: the next look shows
        except DamagedError as error:
            self._placing.say(f"{log.name}: {error}")
            if self._quiet(log) >= self._view.pauses.settle:
                self._miss(ingestion, log, Reason.DAMAGED)
        except OSError as error:
            self._placing.say(f"{log.home.path}: {error.strerror}; trying again")
        else:
            log.drained = state
            log.seen = max(log.seen, log.next if is_compressed(log.home.path.name) else log.home.size)
            if finished:
                self._finish(ingestion, log)

    def _finish(self, ingestion: Ingestion, log: Log) -> None:
        if log.next < log.seen:
            self._miss(ingestion, log, Reason.CUT)
            return
        assert log.source is not None
        ingestion.finish(log.source)
        log.source, log.closed, log.held = None, True, False

    def _give_up(self, ingestion: Ingestion, log: Log) -> None:
        """A log that is nowhere: missing, unless its name is one that is not followed any more."""
        if log.held or self._view.folder.wants(log.base):
            self._miss(ingestion, log, log.lost)
        elif log.name.startswith("tail:"):
            ingestion.release(log.name)
            log.closed = True
            self._placing.say(f"{log.name}: is followed no longer, was read up to position {log.next:,}")

    def _miss(self, ingestion: Ingestion, log: Log, why: Reason) -> None:
        """Records what of a log can no longer be read, and follows it no longer."""
        gap = Gap(log.name, log.next, log.seen if log.seen > log.next else None, why)
        ingestion.miss(gap)
        size = "" if gap.until is None else f": {gap.until - gap.position:,} bytes"
        self._placing.say(f"{log.name}: {why} behind position {log.next:,}{size}; recorded as a gap")
        if log.source is not None:
            log.source.close()
        log.source, log.closed, log.held = None, True, False
