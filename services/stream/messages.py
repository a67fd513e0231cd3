"""From messages to records: a message is one record, or carries several as a JSON array or as lines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import msgspec

from monitor.run import Batch, QuarantineRow
from services.keyed import Keyed
from services.stream.fetched import Message

_elements = msgspec.json.Decoder(list[msgspec.Raw])


@dataclass(frozen=True, slots=True)
class Records:
    """The records of some messages in their order; `whence` are the messages, as often as each had records."""

    bodies: list[bytes] = field(default_factory=list)
    stamps: list[int] = field(default_factory=list)
    whence: list[Message] = field(default_factory=list)

    @property
    def arrivals(self) -> list[int] | None:
        """Kafka's stamps; None where a message has none, as very old ones have."""
        return None if not self.stamps or min(self.stamps) < 0 else self.stamps

    def name_positions(self, batch: Batch) -> None:
        """Says of what was set aside where it lies: so far its position is that in `bodies`."""
        batch.quarantine = [self._kept(row) for row in batch.quarantine]

    def _kept(self, row: QuarantineRow) -> Keyed:
        message = self.whence[row.position]
        first = last = row.position
        while first and self.whence[first - 1] is message:
            first -= 1
        while last + 1 < len(self.whence) and self.whence[last + 1] is message:
            last += 1
        place = f"record {row.position - first + 1} of {last - first + 1} in its message" if first < last else ""
        detail = "; ".join(filter(None, (row.detail, place)))
        return Keyed(message.offset, row.reason, detail, row.body, message.key)


def records_of(messages: Sequence[Message]) -> Records:
    """All records. What cannot be taken apart is one record, which the step will refuse."""
    values = [message.value for message in messages]
    if all(map(_is_one, values)):  # as nearly always
        return Records(values, [message.stamp for message in messages], list(messages))
    found = Records()
    for message in messages:
        bodies = _bodies(message.value)
        found.bodies.extend(bodies)
        found.stamps.extend([message.stamp] * len(bodies))
        found.whence.extend([message] * len(bodies))
    return found


def _is_one(value: bytes) -> bool:
    """Whether it is one event on one line, at a glance."""
    return value[:1] == b"{" and b"\n" not in value


def _bodies(value: bytes) -> list[bytes]:
    if _is_one(value):
        return [value]
    text = value.strip()
    if text[:1] == b"[":
        return _array(text) or [value]
    return _lines(text) or [value]


def _array(text: bytes) -> list[bytes]:
    try:
        return [bytes(element) for element in _elements.decode(text)]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return []


def _lines(text: bytes) -> list[bytes]:
    """The lines, if each is an object by itself; an object that is written over several lines is one record."""
    lines = [line for each in text.split(b"\n") if (line := each.strip())]
    alone = all(line[:1] == b"{" and line[-1:] == b"}" for line in lines)
    return lines if alone else []
