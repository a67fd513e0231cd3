"""Runs of one partition that have been fetched and wait to be taken."""

from __future__ import annotations

from collections.abc import Sequence

from services.stream.fetched import Fetched, Message


class Buffer:
    """Consecutive messages from the position on. Of runs that do not go on where the last one ended it takes none."""

    def __init__(self) -> None:
        self.end = 0
        self.size = 0
        self.since: float | None = None
        self._seek = -1
        self._runs: list[Fetched] = []

    def expect(self, offset: int, seek: int) -> None:
        """Begins anew at an offset, with what is read behind that seek."""
        self.end, self._seek = offset, seek
        self.clear()

    def clear(self) -> None:
        """Forgets what waits; nothing more is taken until something else is expected."""
        self._runs, self.size, self.since = [], 0, None

    @property
    def messages(self) -> int:
        """How many wait."""
        return sum(len(run.messages) for run in self._runs)

    @property
    def empty(self) -> bool:
        """Whether nothing waits, not even a stretch without messages."""
        return not self._runs

    def add(self, run: Fetched, now: float) -> bool:
        """Takes a run, unless it was read before the last seek. False if one before it was lost on the way."""
        if run.seek != self._seek:
            return True
        if run.start != self.end:
            return False
        self._runs.append(run)
        self.end = run.end
        self.size += sum(len(message.value) for message in run.messages)
        self.since = now if self.since is None else self.since
        return True

    def front(self, most: int, stamped: int | None = None) -> tuple[int, list[Message]]:
        """The next messages, at most so many, and where they end; with `stamped`, up to the first later stamp."""
        found: list[Message] = []
        end = self._runs[0].start
        for run in self._runs:
            taken = min(most - len(found), _first_after(run.messages, stamped))
            found += run.messages[:taken]
            if taken < len(run.messages):
                return run.messages[taken].offset, found
            end = run.end
        return end, found

    def drop(self, end: int, now: float) -> None:
        """Forgets what lies before an offset: it was taken."""
        rest = [run if run.start >= end else _behind(run, end) for run in self._runs if run.end > end]
        self._runs = rest
        self.size = sum(len(message.value) for run in rest for message in run.messages)
        self.since = now if rest else None


def _first_after(messages: Sequence[Message], stamped: int | None) -> int:
    if stamped is None:
        return len(messages)
    return next((place for place, message in enumerate(messages) if message.stamp > stamped), len(messages))


def _behind(run: Fetched, offset: int) -> Fetched:
    kept = [message for message in run.messages if message.offset >= offset]
    return Fetched(run.topic, run.partition, run.seek, offset, run.end, kept)
