"""How far a build strays from the reference on the same tokens: KL, log-probability gap, top token, by stratum."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from monitor.signals.fidelity import TokenFidelity
from shadow.backends.backend import TokenScores

Floats = NDArray[np.float64]

POSITIONS = (64, 256, 1_024)
"""Strata of context: fewer than 64 tokens before the token, fewer than 256, fewer than 1,024, more."""

MASSES = (0.5, 0.9, 0.99)
"""Strata of rarity: the commonest tokens that make up half of the reference's text, 90 %, 99 %, the rest."""


def rarity_strata(unigram: Floats) -> NDArray[np.uint8]:
    """The stratum of every token, 0 (common) to 3 (rare), from its probability without context; shape (vocabulary,).

    Tokens are ordered by falling probability; a token's stratum is decided by the mass of the tokens before it.
    """
    order = np.argsort(-unigram, kind="stable")
    before = np.cumsum(unigram[order]) - unigram[order]
    strata = np.empty(len(unigram), dtype=np.uint8)
    strata[order] = np.searchsorted(MASSES, before / unigram.sum(), side="right")
    return strata


def position_strata(context: int, tokens: int) -> NDArray[np.intp]:
    """The stratum of each of `tokens` tokens that follow `context` others: the number of `POSITIONS` reached."""
    return np.searchsorted(POSITIONS, context + np.arange(tokens), side="right")


def _whole_kl(reference: TokenScores, build: TokenScores) -> Floats:
    p = reference.distribution.astype(np.float64)
    q = build.distribution.astype(np.float64)
    return np.asarray((np.exp(p) * (p - q)).sum(axis=1))


def _shared_kl(p: Floats, q: Floats, at_p: NDArray[np.int32], at_q: NDArray[np.int32]) -> float:
    _, in_p, in_q = np.intersect1d(at_p, at_q, assume_unique=True, return_indices=True)
    shared_p, shared_q = p[in_p], q[in_q]
    rest_p = max(1.0 - np.exp(shared_p).sum(), 0.0)
    rest_q = max(1.0 - np.exp(shared_q).sum(), 1e-12)
    rest = rest_p * np.log(rest_p / rest_q) if rest_p > 0 else 0.0
    return float((np.exp(shared_p) * (shared_p - shared_q)).sum() + rest)


def kl(reference: TokenScores, build: TokenScores) -> Floats:
    """KL(reference || build) in nats before each token, shape (n,), never negative.

    Exact where whole distributions were kept. Otherwise over the tokens that both kept, all others lumped into
    one: that never overstates it, and misses only what moved among improbable tokens.
    """
    if reference.support is None or build.support is None:
        each = _whole_kl(reference, build)
    else:
        rows = zip(
            reference.distribution.astype(np.float64),
            build.distribution.astype(np.float64),
            reference.support,
            build.support,
            strict=True,
        )
        each = np.array([_shared_kl(*row) for row in rows])
    return np.maximum(each, 0.0)
