"""A record set aside that came under a key."""

from __future__ import annotations

from dataclasses import dataclass

from monitor.run import QuarantineRow


@dataclass(frozen=True, slots=True)
class Keyed(QuarantineRow):
    """With the key of the message that brought it; None where that had none."""

    key: bytes | None = None
