"""What one fetch brought of one partition."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple


class Message(NamedTuple):
    """One message of a partition, as it lies there. `stamp` is Kafka's, in milliseconds; -1 where it has none."""

    offset: int
    stamp: int
    key: bytes | None
    value: bytes


@dataclass(frozen=True, slots=True)
class Fetched:
    """All messages of a partition from offset `start` to before `end`, read behind the seek number `seek`.

    `start` is where the fetch before it ended, so that a lost one shows. Offsets in between may be missing: records of
    transactions that were given up, marks of transactions, what compaction took away. `messages` may be empty.
    """

    topic: str
    partition: int
    seek: int
    start: int
    end: int
    messages: Sequence[Message]
