"""Which units to replay: a keyed hash of the request id against a declared probability, and nothing else.

The inclusion probability is a function of request-side attributes and of the epoch, both known before any outcome,
so that bets weighted by it stay valid. It lives in the core, not beside the replays, because the sample is
committed in the same transaction as the facts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from monitor.plan import ShadowRule

_SALT: Final = 0x5A_AD_0E
_SECOND_SALT: Final = 0x2E_FE_1E
LEVEL: Final = 1_000_000
"""Inclusion levels are stored as whole millionths."""
_STEP: Final = np.uint64(2**64 // LEVEL + 1)

Hashes = NDArray[np.uint64]


@dataclass(frozen=True, slots=True)
class Epoch:
    """From `bucket` on, every declared probability is multiplied by `factor` (1, 1/2, 1/4, …)."""

    bucket: int
    factor: float


class Sampler:
    """Deterministic, stratified sampling of units with known probabilities."""

    def __init__(self, rule: ShadowRule, slices: Sequence[str], seed: int, epochs: Sequence[Epoch] = ()) -> None:
        self.rule = rule
        self.seed = seed
        self.epochs = sorted(epochs, key=lambda epoch: epoch.bucket)
        self._strata = [(slices.index(name), p) for name, p in rule.strata.items() if name in slices]

    @property
    def constant(self) -> bool:
        """Whether all units have one level, whatever their slices and bucket."""
        return not self._strata and not self.epochs

    def level(self, members: Sequence[int], bucket: int) -> int:
        """The inclusion probability of a unit in these slices, in millionths: the largest of its strata's."""
        inside = set(members)
        p = max([p for index, p in self._strata if index in inside], default=self.rule.share)
        factor = 1.0
        for epoch in self.epochs:
            factor = epoch.factor if epoch.bucket <= bucket else factor
        return round(min(1.0, p * factor) * LEVEL)

    def takes(self, identities: Hashes, levels: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Which units, by their keyed id hashes, are replayed at their levels; a higher level takes a superset."""
        return _mix(identities ^ np.uint64(self.seed ^ _SALT)) // _STEP < levels.astype(np.uint64)

    def takes_second(self, identities: Hashes) -> NDArray[np.bool_]:
        """Which of them have their reference replayed twice, for the noise floor."""
        share = np.uint64(round(self.rule.second_share * LEVEL))
        return _mix(identities ^ np.uint64(self.seed ^ _SECOND_SALT)) // _STEP < share


def _mix(x: Hashes) -> Hashes:
    """The finaliser of SplitMix64 (Steele, Lea and Flood 2014): a bijection that spreads every input bit."""
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))
