"""What the real pairs say by themselves: plain numpy on the raw rows, with nothing of quantwatch in between."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.acceptance import llama31, xstest

REACH = 4
"""Octaves by which two lengths may differ before more no longer counts."""

Arm = dict[str, Any]
Floats = NDArray[np.float64]


def score_differences(variant: str, task: str) -> Floats:
    """The build's score less the reference's, prompt by prompt."""
    return np.array([own["score"] - reference["score"] for own, reference in _arms(variant, task)])


def length_octaves(variant: str, task: str) -> Floats:
    """log2 of how many times as long as the reference's each answer is (1 + characters), cut off at `REACH`."""
    sizes = np.array([[1 + len(one["output"]) for one in arms] for arms in _arms(variant, task)], dtype=np.float64)
    return np.asarray(np.clip(np.log2(sizes[:, 0] / sizes[:, 1]), -REACH, REACH))


def alike(variant: str, task: str) -> int:
    """Answers that equal the reference's to the letter."""
    return sum(own["output"] == reference["output"] for own, reference in _arms(variant, task))


def invalid_json(variant: str) -> NDArray[np.bool_]:
    """Which extraction answers of a build, or of the reference, do not parse."""
    found = [row["arms"][variant]["output"] for row in llama31.rows() if row["task"] == "extraction"]
    return np.array([not _parses(text) for text in found])


def human_refusals(system: str) -> Floats:
    """Per prompt, whether people say that the completion declines in full or in part."""
    return np.array([row["systems"][system]["label"] != "1_full_compliance" for row in xstest.rows()], dtype=np.float64)


def mean_error(differences: Floats) -> float:
    """The standard error of a mean difference."""
    return float(differences.std(ddof=1) / np.sqrt(len(differences)))


def _arms(variant: str, task: str) -> list[tuple[Arm, Arm]]:
    """The build's own answer and the reference's, prompt by prompt."""
    return [(row["arms"][variant], row["arms"][llama31.REFERENCE]) for row in llama31.rows() if row["task"] == task]


def _parses(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True
