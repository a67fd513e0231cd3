"""When conversations begin: the gaps of a real production trace, rescaled to the wanted rate."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.resources import files
from itertools import cycle


def arrivals(per_second: float) -> Iterator[float]:
    """Seconds since the beginning at which conversations begin, without end, `per_second` of them on average.

    The gaps are those of the Azure LLM inference trace (conversations, 2023), with its bursts.
    """
    lines = (files("services.simulate") / "data" / "arrival_gaps.csv").read_text().split()[1:]
    gaps = [int(line) for line in lines]
    scale = len(gaps) / per_second / sum(gaps)
    at = 0.0
    for gap in cycle(gaps):
        at += gap * scale
        yield at
