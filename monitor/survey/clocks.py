"""Clocks that are hours apart: between variants, between serving and logging, between the log and this machine."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import Final

import numpy as np

from monitor.model import Event
from monitor.survey.extract import Extract, Line
from monitor.wire import milliseconds

HOUR: Final = 3_600_000
_MANY: Final = 0.01


def apart(extract: Extract, late: int = 0) -> Iterator[str]:
    """One sentence for each pair of clocks that disagree by an hour or more in half of the lines.

    `late` lines come too late for ingestion: if they are many and no such pair explains them, that is said.
    """
    pairs = [*_between_variants(extract.requests), *_between_stamps(extract.events)]
    yield from pairs
    if not pairs and late > _MANY * len(extract.lines):
        lags = [n - t for each in extract.times() for t, n in zip(each, accumulate(each, max), strict=True)]
        yield (
            f"{late:,} of {len(extract.lines):,} lines come too late for the plan's `lateness`, up to "
            f"{span(max(lags, default=0))} behind the newest before them: two clocks that disagree, or no order of "
            "time?"
        )
    times = [time for stretch in extract.times() for time in stretch]
    ahead = [time - extract.clock for time in times]
    if times and _median(ahead) >= HOUR:
        yield f"the log's times lie {span(_median(ahead))} in the future of this machine's clock"


def _between_variants(stretches: Sequence[Sequence[tuple[Line, Event]]]) -> Iterator[str]:
    """A variant of which half of the lines lie hours behind the newest line before them, while another's do not."""
    lags: dict[str, list[int]] = defaultdict(list)
    for stretch in stretches:
        newest = 0
        for _, event in stretch:
            time = milliseconds(event.time)
            newest = max(newest, time)
            lags[event.variant].append(newest - time)
    typical = {variant: _median(lag) for variant, lag in lags.items()}
    if typical and min(typical.values()) < HOUR:
        for variant, lag in sorted(typical.items()):
            if lag >= HOUR:
                yield f"lines of `{variant}` lie {span(lag)} behind the lines around them: two clocks that disagree?"


def _between_stamps(events: Sequence[Event]) -> Iterator[str]:
    """`received_at` hours from `time`."""
    gaps = [milliseconds(e.received_at) - milliseconds(e.time) for e in events if e.received_at is not None]
    if gaps and abs(_median(gaps)) >= HOUR:
        word = "after" if _median(gaps) > 0 else "before"
        distance = span(abs(_median(gaps)))
        yield f"`received_at` lies {distance} {word} `time`: two clocks that disagree, or a zone that is missing?"


def span(milliseconds: float) -> str:
    """A length of time in words."""
    minutes = round(milliseconds / 60_000)
    if minutes < 1:
        return f"{milliseconds / 1000:.3g} s"
    if minutes < 120:
        return f"{minutes} min"
    return f"{minutes / 60:.3g} h" if minutes < 2 * 24 * 60 else f"{minutes / 1440:.3g} days"


def _median(values: Sequence[int]) -> float:
    return float(np.median(values))
