"""Two periods of traffic with a known cause between them: seeded counts for the blame scenarios."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from monitor.evidence.attribution import Period

SLICES = np.array([0.02, 0.06, 0.20])
"""The reference's failure rate in each of three slices."""

USUAL, SHIFTED = np.array([0.5, 0.3, 0.2]), np.array([0.3, 0.25, 0.45])
BUSY, BUSIER = 0.2, 0.7
"""Share of units at high load."""

STRAIN = 0.10
"""What high load adds, in the serving engine, in both periods."""

NOISE = 0.003


@dataclass(frozen=True, slots=True)
class World:
    """Points that each cause adds between the periods, the mix and the share of busy units."""

    quantization: float = 0.0
    engine: float = 0.0
    mix: np.ndarray | None = None
    busy: float = BUSY

    def truth(self, before: Period, now: Period) -> dict[str, float]:
        """The true contributions; load's for the busy shares that came about."""
        busier = now.load[1] / now.load.sum() - before.load[1] / before.load.sum()
        mix = USUAL if self.mix is None else self.mix
        return {
            "quantization": self.quantization,
            "serving": self.engine,
            "load": float(busier) * STRAIN,
            "traffic": float(SLICES @ (mix - USUAL)),
        }


def both(world: World, pairs: int, seed: int) -> tuple[Period, Period]:
    """The period before, and the one now."""
    rng = np.random.default_rng(seed)
    mix = USUAL if world.mix is None else world.mix
    before = _period(rng, pairs, USUAL, BUSY, 0.0, 0.0)
    return before, _period(rng, pairs, mix, world.busy, world.quantization, world.engine)


def _period(
    rng: np.random.Generator, pairs: int, mix: np.ndarray, busy: float, quantization: float, engine: float
) -> Period:
    """Each step moves a yes/no outcome: a set share of what is no becomes yes, and a little noise goes both ways."""
    kind, load = rng.choice(3, pairs, p=mix), (rng.random(pairs) < busy).astype(np.int64)
    reference = rng.random(pairs) < SLICES[kind]
    deployed = _moved(rng, reference, SLICES[kind], quantization)
    logged = _moved(rng, deployed, SLICES[kind] + quantization, engine + STRAIN * load)
    serving = np.stack([_differences(logged[load == a], deployed[load == a]) for a in (0, 1)])
    all_units = rng.multinomial(20 * pairs, (1 - busy, busy))
    return Period(_rates(logged), _rates(reference), _differences(deployed, reference), serving, all_units)


def _moved(rng: np.random.Generator, outcome: np.ndarray, rate: np.ndarray, points: float | np.ndarray) -> np.ndarray:
    """The outcomes with `points` more yes on average, and noise that leaves the mean."""
    chance = rng.random(outcome.size)
    gained = (points + NOISE) / (1 - rate)
    return np.where(outcome, chance >= NOISE / rate, chance < gained)


def _rates(outcome: np.ndarray) -> np.ndarray:
    return np.array([(~outcome).sum(), outcome.sum()], np.int64)


def _differences(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    worse, better = int((left & ~right).sum()), int((~left & right).sum())
    return np.array([better, left.size - worse - better, worse], np.int64)
