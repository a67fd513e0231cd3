"""Which requests run together: alike in length, so that little is padding, and small enough for memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence


def by_length(lengths: Sequence[int], numbers: Sequence[int], rows: int) -> Iterator[list[int]]:
    """The numbers in batches of at most `rows`, shortest first; `lengths[n]` is the length of number n."""
    ordered = sorted(numbers, key=lambda n: (lengths[n], n))
    for start in range(0, len(ordered), rows):
        yield ordered[start : start + rows]


def by_area(
    prompts: Sequence[int], answers: Sequence[int], numbers: Sequence[int], rows: int, area: int
) -> Iterator[list[int]]:
    """The same, and rows times scored positions is at most `area` in each batch of more than one row.

    Scored are the positions from the shortest prompt's end to the longest row's; `prompts` and `answers` are
    lengths in tokens.
    """
    part: list[int] = []
    for n in sorted(numbers, key=lambda n: (prompts[n], n)):
        grown = [*part, n]
        span = max(prompts[m] + answers[m] for m in grown) - prompts[grown[0]]
        if part and (len(grown) > rows or len(grown) * span > area):
            yield part
            grown = [n]
        part = grown
    if part:
        yield part
