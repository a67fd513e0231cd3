"""What is missing of a source: bytes that it no longer held when they were to be read."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Reason(StrEnum):
    """Why it is missing."""

    CUT = "cut"
    REWRITTEN = "rewritten"
    REPLACED = "replaced"
    DELETED = "deleted"
    DAMAGED = "damaged"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class Gap:
    """Missing from `position` to before `until`; None where nobody knows how much it was, or whether anything."""

    source: str
    position: int
    until: int | None
    reason: Reason
