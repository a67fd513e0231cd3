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


def _support(scores: TokenScores) -> NDArray[np.int32]:
    """Which tokens a distribution is of: those that were kept, or all."""
    if scores.support is not None:
        return scores.support
    return np.broadcast_to(np.arange(scores.distribution.shape[1], dtype=np.int32), scores.distribution.shape)


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
    if reference.support is None and build.support is None:
        each = _whole_kl(reference, build)
    else:
        rows = zip(
            reference.distribution.astype(np.float64),
            build.distribution.astype(np.float64),
            _support(reference),
            _support(build),
            strict=True,
        )
        each = np.array([_shared_kl(*row) for row in rows])
    return np.maximum(each, 0.0)


def _shares(strata: NDArray[np.integer], differs: NDArray[np.bool_], count: int) -> tuple[tuple[int, int], ...]:
    tokens = np.bincount(strata, minlength=count)
    moved = np.bincount(strata[differs], minlength=count)
    return tuple((int(all_), int(some)) for all_, some in zip(tokens, moved, strict=True))


def _rarity_shares(reference: TokenScores, differs: NDArray[np.bool_]) -> tuple[tuple[int, int], ...]:
    if reference.rarity is None:
        return ()
    return _shares(reference.rarity.astype(np.intp), differs, len(MASSES) + 1)


def compare(reference: TokenScores | None, build: TokenScores | None, flipped: bool | None = None) -> TokenFidelity:
    """What the two builds' probabilities of the same logged tokens say; strata follow the reference's.

    `mean_logprob_gap` is reference minus build, in nats: positive where the build finds the logged answer less
    probable. Without comparable scores (none, or another tokenizer) only `flipped` is known and `tokens` is 0.
    """
    if reference is None or build is None or not np.array_equal(reference.token_ids, build.token_ids):
        return TokenFidelity(0, None, None, None, None, flipped)
    differs = reference.top != build.top
    gaps = reference.logprobs.astype(np.float64) - build.logprobs
    tokens = len(differs)
    structural = int(reference.structural.sum())
    return TokenFidelity(
        tokens=tokens,
        mean_kl=float(kl(reference, build).mean()),
        mean_logprob_gap=float(gaps.mean()),
        same_top=float(1.0 - differs.mean()),
        first_divergence=int(differs.argmax()) if differs.any() else None,
        flipped=flipped,
        by_position=_shares(position_strata(reference.context, tokens), differs, len(POSITIONS) + 1),
        by_rarity=_rarity_shares(reference, differs),
        by_structure=(structural, int((differs & reference.structural).sum())),
    )
