"""Trains the refusal classifier and the ones that never saw a family: `python -m monitor.training.refusal`.

Logistic regression over the very features that `monitor.signals.refusal` computes, rounded to integers. Besides
XSTest's completions it learns from their first sentences alone (refusals are often one sentence), from the project's
own short examples, and, with a small weight, from answers of other dialog systems as things that are no refusals.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, diags, vstack
from sklearn.linear_model import LogisticRegression

from monitor.signals.refusal import BITS, MOST, RefusalWeights, slots
from monitor.training.corpus import Completion, completions, phrases, turns

FAMILIES = ("llama2", "mistral", "gpt4")
SCALE = 1024
THRESHOLD = -0.2
SOFTNESS = 50.0
FIRST_SENTENCE_WEIGHT = 0.3
OTHER_ANSWER_WEIGHT = 0.15
RARE = 3
"""A feature that fewer texts have gets no weight."""
HERE = Path(__file__).parent.parent / "data"

Sparse = tuple[NDArray[np.int64], NDArray[np.int16], NDArray[np.int64]]


def train(rows: Sequence[Completion], others: Sequence[str]) -> Sparse:
    """Slots, weights and limits of a classifier trained on these completions; `others` are no refusals."""
    own = phrases()
    texts = [row.text for row in rows] + [first_sentence(row.text) for row in rows] + [text for _, text in own]
    labels = np.array([row.label for row in rows] * 2 + [label for label, _ in own] + ["none"] * len(others))
    counts = (len(rows), len(rows), len(own), len(others))
    weights = np.repeat((1.0, FIRST_SENTENCE_WEIGHT, 1.0, OTHER_ANSWER_WEIGHT), counts)
    features = matrix([*texts, *others])
    features = features @ diags((features.getnnz(axis=0) >= RARE).astype(float))
    declined = labels != "none"
    at_all = _fit(features, declined, weights, None)
    in_full = _fit(features[declined], labels[declined] == "full", weights[declined], "balanced")
    return _integers((at_all, THRESHOLD), (in_full, 0.0))


def without(family: str) -> Sparse:
    """A classifier that never saw a completion of this family; "" leaves none out."""
    return train([row for row in completions() if row.family != family], other_answers(tuning=True))


def weights_without(family: str) -> RefusalWeights:
    """The same, ready to judge with."""
    return RefusalWeights.sparse(*without(family))


def other_answers(*, tuning: bool) -> list[str]:
    """Different system turns of the dialogs in one half of the user-feedback data."""
    return sorted({turn.answer for turn in turns() if turn.answer and turn.tuning == tuning})


def first_sentence(text: str) -> str:
    """Up to the first full stop, question or exclamation mark that is followed by space."""
    return re.split(r"(?<=[.!?])\s", text.strip(), maxsplit=1)[0]


def matrix(texts: Iterable[str]) -> csr_matrix:
    """One row per text, each of length 1: what the integer score divides by the root of the feature count."""
    starts, found = slots(texts)
    sizes = np.maximum(np.diff(starts), 1)
    rows = csr_matrix((np.ones(len(found)), found, starts), shape=(len(sizes), 1 << BITS))
    return csr_matrix(diags(1 / np.sqrt(sizes)) @ rows)


def _fit(
    features: csr_matrix, labels: NDArray[np.bool_], weights: NDArray[np.float64], balance: str | None
) -> LogisticRegression:
    model = LogisticRegression(C=SOFTNESS, max_iter=2000, class_weight=balance)
    return model.fit(vstack([features]), labels, sample_weight=weights)


def _integers(*models: tuple[LogisticRegression, float]) -> Sparse:
    table = np.stack([np.rint(model.coef_[0] * SCALE) for model, _ in models], axis=1)
    used = np.flatnonzero(table.any(axis=1))
    roots = np.sqrt(np.arange(MOST + 1)) * SCALE
    limits = [np.floor((threshold - model.intercept_[0]) * roots) for model, threshold in models]
    values = np.clip(table[used], -32_768, 32_767).astype(np.int16)
    return used, values, np.stack(limits).astype(np.int64)


def main() -> None:
    """Write the shipped classifier and one per family left out."""
    for family in ("", *FAMILIES):
        used, values, limits = without(family)
        name = f"refusal_without_{family}" if family else "refusal"
        narrow = used.astype(np.uint16)
        np.savez_compressed(HERE / f"{name}.npz", slots=narrow, values=values, limits=limits.astype(np.int32))
        print(f"{name}.npz: {len(used):,} features")


if __name__ == "__main__":
    main()
