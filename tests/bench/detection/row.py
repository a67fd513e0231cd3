"""One row of the benchmark: its figures, and what people read about them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from scipy.stats import beta

from tests.bench.figures import Figure


@dataclass(frozen=True, slots=True)
class Row:
    """`text` is Markdown under the heading `title`; `charts` are SVG bodies by file name."""

    title: str
    figures: Sequence[Figure]
    text: str
    charts: dict[str, str] = field(default_factory=dict)


def upper_limit(bad: int, runs: int) -> float:
    """The 99 % upper limit of a share, exact for the binomial."""
    return 1.0 if bad >= runs else float(beta.ppf(0.99, bad + 1, runs - bad))
