"""How far two builds' token distributions lie apart, from one pair; no event is judged here."""

from __future__ import annotations

import math
from bisect import bisect_right
from dataclasses import dataclass

from monitor.model import Definition, Output
from monitor.signals.family import sealed
from monitor.signals.score import GRID, STEPS, grid_cell, quantised

Share = tuple[int, int]

_PER_DECADE = 4
# Nats, four bins a decade from 1e-7 to 10; three digits each, so that no two machines disagree on them.
KL_EDGES = tuple(float(f"{10 ** (k / _PER_DECADE):.2e}") for k in range(-7 * _PER_DECADE, _PER_DECADE + 1))
_KL_BINS = len(KL_EDGES) + 1
_LONGEST = 16
_NEVER = _LONGEST + 1

_KL_CELLS = (*(str(k) for k in range(_KL_BINS)), "not_observed")
_TOP_CELLS = (*(f"{k}/{STEPS}" for k in range(STEPS + 1)), "not_observed")
_DIVERGENCE_CELLS = ("0", *(str(2**k) for k in range(_LONGEST)), "never", "not_observed")
_FLIP_CELLS = ("no", "yes", "not_observed")


@dataclass(frozen=True, slots=True)
class TokenFidelity:
    """What scoring one pair token by token showed.

    `mean_kl` is in nats per token, where whole distributions were seen; `same_top` is the share of tokens whose
    most likely token agrees; `first_divergence` is the index of the first that does not; `flipped` says that the
    generated answers differ. Strata hold (tokens, tokens whose top differs).
    """

    tokens: int
    mean_kl: float | None
    mean_logprob_gap: float | None
    same_top: float | None
    first_divergence: int | None
    flipped: bool | None
    by_position: tuple[Share, ...] = ()
    by_rarity: tuple[Share, ...] = ()
    by_structure: Share = (0, 0)


class Fidelity:
    """Four signals of a pair: `kl`, `same_top`, `first_divergence` and `flip`; each may be `not_observed`."""

    def __init__(self) -> None:
        self.definitions: tuple[Definition, ...] = tuple(
            map(
                sealed,
                (
                    Definition("kl", "fidelity", _KL_CELLS, unit="nats"),
                    Definition("same_top", "fidelity", _TOP_CELLS, unit="score", grid=GRID),
                    Definition("first_divergence", "fidelity", _DIVERGENCE_CELLS, unit="tokens"),
                    Definition("flip", "fidelity", _FLIP_CELLS, yes=("yes",), no=("no",)),
                ),
            )
        )

    def cells(self, fidelity: TokenFidelity | None, event_hash: int) -> tuple[int, ...]:
        """One cell per definition. `event_hash` (64 bits) rounds `same_top` so that its mean is kept."""
        if fidelity is None:
            return _KL_BINS, STEPS + 1, _NEVER + 1, 2
        return (
            _kl_cell(fidelity.mean_kl),
            _top_cell(fidelity.same_top, event_hash),
            _divergence_cell(fidelity),
            2 if fidelity.flipped is None else int(fidelity.flipped),
        )


def _kl_cell(nats: float | None) -> int:
    """Rounding may leave a KL a little below zero; that is the first bin."""
    return _KL_BINS if nats is None or math.isnan(nats) else bisect_right(KL_EDGES, nats)


def _top_cell(share: float | None, event_hash: int) -> int:
    value = quantised(share)
    return STEPS + 1 if value is None else grid_cell(value, event_hash)


def _divergence_cell(fidelity: TokenFidelity) -> int:
    if fidelity.tokens <= 0:
        return _NEVER + 1
    if fidelity.first_divergence is None:
        return _NEVER
    return min(fidelity.first_divergence.bit_length(), _LONGEST)


def same_answer(first: Output, second: Output) -> bool:
    """Whether two answers read the same: equal text and tool calls, however they were tokenized."""
    return (first.text or "") == (second.text or "") and first.tool_calls == second.tool_calls
