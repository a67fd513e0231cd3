"""What one check will meet of a variant's traffic: pairs an hour by inclusion level, and what the log shows of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from monitor.evidence.joint import Direction
from monitor.forecast.traffic import Floats, Unit
from monitor.model import Missing
from monitor.outcomes import Outcomes, code
from monitor.pairs import GAINS, VALUES
from monitor.signals.score import TOP

_SILENT = code(Missing.NO_SCHEMA)
_KEPT = 200
"""So many evenly spaced values stand for a distribution."""


@dataclass(frozen=True, slots=True)
class Meeting:
    """A check's traffic. `applicable` are pairs an hour, `levels` those of them that have both arms, by inclusion
    probability.

    `logged` are the outcomes that the log shows: 0 and 1, or some of the values, magnified as pairs are. `differences`
    are logged - reference where the log brought both.
    """

    slice: str
    signal: str
    direction: Direction
    units: float
    applicable: float
    levels: dict[float, float]
    logged: Floats
    seen: int
    differences: Floats

    @property
    def eligible(self) -> float:
        """Pairs an hour that the check can count."""
        return sum(self.levels.values())

    @property
    def excluded_share(self) -> float:
        """The share of applicable pairs that lack an arm."""
        return 1.0 - self.eligible / self.applicable if self.applicable else 0.0

    @property
    def mean(self) -> float:
        """The mean of what the log shows: a rate, or a mean value."""
        return float(self.logged.mean()) if self.logged.size else 0.0


def meet(
    key: tuple[str, str, Direction],
    units: Sequence[Unit],
    members: NDArray[np.bool_],
    sampled: Floats,
    pairs: Floats,
    hours: float,
    answered: float,
) -> Meeting | None:
    """What the check `key` meets of these units (all arrays parallel to them); None where its signal never applies.

    `answered` is the share of its replays that the reference gets round to.
    """
    name, signal, direction = key
    logged = _column([unit.logged for unit in units], signal)
    applies = members & (logged != _SILENT)
    if not applies.any():
        return None
    other = np.where(
        [unit.reference is not None for unit in units],
        _column([unit.reference or {} for unit in units], signal),
        _column([unit.again for unit in units], signal),
    )
    able = np.array([unit.refusal is None or unit.reference is not None for unit in units])
    eligible = applies & able & (logged >= 0) & (other >= 0)
    seen = logged[applies & (logged >= 0)]
    brought = eligible & np.array([unit.reference is not None for unit in units])
    paired = pairs * eligible * np.where(brought, 1.0, answered)
    return Meeting(
        slice=name,
        signal=signal,
        direction=direction,
        units=float(applies.sum()) / hours,
        applicable=float(pairs[applies].sum()) / hours,
        levels={p: float(paired[sampled == p].sum()) / hours for p in np.unique(sampled[eligible]).tolist()},
        logged=_values(seen, signal),
        seen=int(seen.size),
        differences=_apart(logged[brought], other[brought], signal),
    )


def _column(outcomes: Sequence[Outcomes], signal: str) -> NDArray[np.int64]:
    return np.array([one.get(signal, _SILENT) for one in outcomes], dtype=np.int64)


def _values(outcomes: NDArray[np.int64], signal: str) -> Floats:
    """Outcomes as numbers; of values an evenly spaced choice, so that all their differences can be formed."""
    if signal not in VALUES:
        return outcomes.astype(np.float64)
    ordered = np.sort(outcomes) * (GAINS.get(signal, 1) / TOP)
    if ordered.size > _KEPT:
        ordered = ordered[np.linspace(0, ordered.size - 1, _KEPT).round().astype(np.int64)]
    return np.asarray(ordered, dtype=np.float64)


def _apart(logged: NDArray[np.int64], other: NDArray[np.int64], signal: str) -> Floats:
    scale = GAINS.get(signal, 1) / TOP if signal in VALUES else 1.0
    return np.clip((logged - other) * scale, -1.0, 1.0)
