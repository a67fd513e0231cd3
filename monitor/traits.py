"""What two builds are compared by before either has answered."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Traits:
    """What may be compared between two builds; None where a build cannot be asked.

    `counts` are the prompt tokens of each probe with its template, `ids` the tokens of its last text alone, `rendered`
    the probes as the template writes them, `stop` what ends an answer, `context` how many tokens fit.
    """

    counts: tuple[int, ...] | None = None
    ids: tuple[tuple[int, ...], ...] | None = None
    rendered: tuple[str, ...] | None = None
    template: str | None = None
    stop: str | None = None
    context: int | None = None
