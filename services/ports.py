"""What the runtime asks of the outside world."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Protocol

from monitor.run import Run

Clock = Callable[[], int]
"""The store's clock: milliseconds since the epoch."""


class Source(Protocol):
    """A log that can be read from a position. `name` is its key in the store; `incarnation` tells logs apart."""

    @property
    def name(self) -> str: ...

    @property
    def incarnation(self) -> str: ...

    def check(self, offset: int, mark: str) -> None:
        """Raises `GapError` unless the log still holds what was read up to `offset`."""
        ...

    def runs(self, offset: int) -> Iterator[Run]:
        """Consecutive runs from `offset` to the log's present end; the last one is `drained` and may be empty."""
        ...

    def close(self) -> None:
        """Releases what the source holds open."""
        ...
