"""An innocent cause is named at most alpha of the time, over all causes and looks together."""

from __future__ import annotations

import numpy as np

from monitor.blame import blame, from_joint
from monitor.evidence.bets import YES_NO, log_evidence
from monitor.evidence.joint import contrast
from monitor.model import Arm
from tests.statistical.nulls import most

TOLERANCE, ALPHA = 0.05, 0.2


def joints(rng: np.random.Generator, runs: int, serving: float, quantization: float) -> np.ndarray:
    """Joint counts (runs, 3, 3, 3, 3) of 40 pairs: the reference fails 10 %, each step adds failures and repairs."""
    reference = rng.random((runs, 40)) < 0.1
    noise = rng.random((2, runs, 40))
    deployed = np.where(reference, noise[0] > 0.2, noise[0] < (quantization + 0.02) / 0.9)
    logged = np.where(deployed, noise[1] > 0.1, noise[1] < (serving + 0.1 * deployed.mean()) / (1 - deployed.mean()))
    table = np.zeros((runs, 3, 3, 3, 3), np.int64)
    run = np.broadcast_to(np.arange(runs)[:, None], reference.shape)
    np.add.at(table, (run, logged.astype(int), deployed.astype(int), reference.astype(int), 2), 1)
    return table


def test_innocent_causes_are_named_at_most_alpha() -> None:
    rng = np.random.default_rng(61)
    runs, named = 800, np.zeros(800, bool)
    sums = np.zeros((runs, 3, 3, 3, 3), np.int64)
    for _ in range(40):
        sums = sums + joints(rng, runs, 0.05, 0.05)
        for left, right in ((Arm.LOGGED, Arm.DEPLOYED), (Arm.DEPLOYED, Arm.REFERENCE)):
            counts, _ = contrast(sums, left, right)
            named |= log_evidence(YES_NO, counts, TOLERANCE) >= np.log(4 / ALPHA)
    assert named.sum() <= most(runs, ALPHA)


def test_the_guilty_cause_is_named_and_the_other_is_not() -> None:
    rng = np.random.default_rng(62)
    for serving, quantization, cause in ((0.0, 0.3, "quantization"), (0.3, 0.0, "serving")):
        for joint in sum(joints(rng, 20, serving, quantization) for _ in range(10)):
            answer = blame(from_joint(joint), TOLERANCE, 0.05)
            assert answer.cause == cause
            assert sum(c.named for c in answer.contributions) == 1
