"""A server that is down is left alone for a while, so that it holds up neither other builds nor other deployments."""

from __future__ import annotations

from collections.abc import Callable

FIRST = 5.0
LONGEST = 160.0


class Breaker:
    """Closed while a server answers. Once all that was asked of it failed, it is left alone for 5 s, then twice as
    long each time, up to 160 s; after that it is `doubtful`, and one request should find out."""

    def __init__(self, clock: Callable[[], float], first: float = FIRST) -> None:
        self._clock = clock
        self._first = first
        self._pause = 0.0
        self._until = 0.0

    @property
    def doubtful(self) -> bool:
        """Whether nothing has been answered since it was last left alone."""
        return self._pause > 0

    def wait(self) -> float:
        """Seconds for which the server is still to be left alone."""
        return max(0.0, self._until - self._clock())

    def note(self, *, answered: bool) -> None:
        """Takes note of what became of all that was asked together."""
        if answered:
            self._pause = self._until = 0.0
            return
        self._pause = min(self._pause * 2 or self._first, LONGEST)
        self._until = self._clock() + self._pause
