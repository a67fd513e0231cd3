"""Whose time is it: CPU seconds by part, from wrappers around functions that each handle many events a call."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

Place = tuple[Any, str]
"""An object and the name under which it holds a function."""


class Stopwatch:
    """Seconds by part. A part's time does not hold the time of parts that it calls."""

    def __init__(self) -> None:
        self.seconds: Counter[str] = Counter()
        self._running: list[str] = []
        self._since = 0.0

    @contextmanager
    def watching(self, parts: Mapping[str, Sequence[Place]]) -> Iterator[None]:
        """Measures the functions while the block runs, and puts them back."""
        wrapped = [(owner, name, part) for part, places in parts.items() for owner, name in places]
        originals = [(owner, name, getattr(owner, name)) for owner, name, _ in wrapped]
        for (owner, name, original), (_, _, part) in zip(originals, wrapped, strict=True):
            setattr(owner, name, self._timed(part, original))
        try:
            yield
        finally:
            for owner, name, original in originals:
                setattr(owner, name, original)

    @contextmanager
    def running(self, part: str) -> Iterator[None]:
        """Counts the block as `part`."""
        self._lap()
        self._running.append(part)
        try:
            yield
        finally:
            self._lap()
            self._running.pop()

    def _timed(self, part: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def timed(*args: Any, **kwargs: Any) -> Any:
            with self.running(part):
                return function(*args, **kwargs)

        return timed

    def _lap(self) -> None:
        now = time.process_time()
        if self._running:
            self.seconds[self._running[-1]] += now - self._since
        self._since = now
