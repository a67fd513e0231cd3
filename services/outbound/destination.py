"""What a destination is: something that takes a notification and says how that went."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Delivery:
    """How an attempt went. `final` means that no further attempt can succeed; `retry_after` is in seconds."""

    delivered: bool
    error: str | None = None
    retry_after: float | None = None
    final: bool = False


class Destination(Protocol):
    """Takes notifications. `key` is the same at every attempt, so that a receiver can drop what it has.

    `deliver` gives up on a receiver that hangs, and never raises for what the receiver does.
    """

    def deliver(self, key: str, body: bytes, now: float) -> Delivery: ...
