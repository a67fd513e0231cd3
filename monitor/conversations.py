"""What is remembered of a conversation: its last turn, as keyed signatures and numbers, never as text.

Everything here is decided by the conversation's own event times, so that memory that was evicted, or rebuilt from
the store, answers as memory that never left.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import msgspec
import xxhash

from monitor.model import Event
from monitor.plan import DeploymentRule, seconds
from monitor.signals.correction import Signature, corrects

_UNIT_SALT: Final = 0x0F_17


class Tail(msgspec.Struct, array_like=True, gc=False):
    """The last turn of one conversation. Times are milliseconds, `mask` its slices, `run` corrections in a row."""

    conversation: int
    time: int
    bucket: int
    variant: str
    mask: bytes
    unit: bool
    unit_given: bool
    corrected: bool
    run: int
    signature: bytes


class Correction(msgspec.Struct, frozen=True, gc=False):
    """An outcome for an earlier turn: it was corrected, and whether that made a loop."""

    bucket: int
    variant: str
    mask: bytes
    unit: bool
    loop: bool


class Turn(msgspec.Struct, frozen=True, gc=False):
    """What a turn amounts to: whether it is its conversation's unit, and what it says of the turn before."""

    unit: bool
    correction: Correction | None


_UNIT, _NO_UNIT = Turn(unit=True, correction=None), Turn(unit=False, correction=None)


class Conversations:
    """The tails of one deployment's recent conversations, bounded by event time."""

    def __init__(self, rule: DeploymentRule) -> None:
        self.horizon = int(seconds(rule.correction.horizon) * 1000)
        self._loop = rule.correction.loop
        self._draw = UnitDraw(rule)
        self._tails: dict[int, Tail] = {}
        self._touched: dict[int, Tail] = {}
        self._packs: deque[tuple[int, list[int]]] = deque()

    def follow(
        self,
        event: Event,
        conversation: int,
        time: int,
        place: tuple[int, str, bytes],
        text: str | None,
        signature: Signature,
    ) -> Turn:
        """Takes the next turn of a conversation, served at `place` (bucket, variant, mask).

        A turn older than the remembered one changes nothing but itself.
        """
        tail = self._tails.get(conversation)
        if tail is not None and time > tail.time + self.horizon:
            tail = None
        drawn = (event.turn or user_turns(event)) == self._draw.turn(conversation)
        unit = drawn and not (tail is not None and tail.unit_given)
        if tail is not None and time < tail.time:
            tail.unit_given = tail.unit_given or unit
            self._touched[conversation] = tail
            return _UNIT if unit else _NO_UNIT
        given = unit or (tail is not None and tail.unit_given)
        correction = None if tail is None else self._correction(tail, event.action, text, signature)
        run = 0 if tail is None or correction is None else tail.run + 1
        bucket, variant, mask = place
        kept = Tail(conversation, time, bucket, variant, mask, unit, given, False, run, signature.data)
        self._tails[conversation] = self._touched[conversation] = kept
        if correction is None:
            return _UNIT if unit else _NO_UNIT
        return Turn(unit, correction)

    def _correction(self, tail: Tail, action: str | None, text: str | None, signature: Signature) -> Correction | None:
        if text is None or tail.corrected:
            return None
        if corrects(Signature.from_bytes(tail.signature), signature, text, action) is None:
            return None
        loop = tail.run + 1 == self._loop
        return Correction(bucket=tail.bucket, variant=tail.variant, mask=tail.mask, unit=tail.unit, loop=loop)

    def take_touched(self) -> bytes:
        """The tails that changed since the last call, packed in the order in which they first did."""
        touched = list(self._touched.values())
        self._touched.clear()
        self._remember(touched)
        return pack_tails(touched) if touched else b""

    def restore(self, packed: Iterable[bytes]) -> None:
        """Puts back packed tails, oldest first: a later one of the same conversation replaces an earlier one."""
        for body in packed:
            tails = list(unpack_tails(body))
            self._tails.update((tail.conversation, tail) for tail in tails)
            self._remember(tails)

    def _remember(self, tails: list[Tail]) -> None:
        """Notes which tails came together, so that all of them are looked at again once the last has had its time."""
        if tails:
            self._packs.append((max(tail.time for tail in tails), [tail.conversation for tail in tails]))

    def expire(self, watermark: int, lateness: int) -> None:
        """Forgets tails that no acceptable event can meet any more; changes no answer."""
        edge = watermark - lateness - self.horizon
        while self._packs and self._packs[0][0] < edge:
            for conversation in self._packs.popleft()[1]:
                tail = self._tails.get(conversation)
                if tail is not None and tail.time < edge:
                    del self._tails[conversation]

    def __len__(self) -> int:
        return len(self._tails)


class UnitDraw:
    """Which turn of a conversation is its unit: a draw from the plan's distribution by a keyed hash."""

    def __init__(self, rule: DeploymentRule) -> None:
        total = sum(rule.unit_turns)
        self._seed = rule.seed ^ _UNIT_SALT
        self._edges: list[tuple[float, int]] = []
        reached = 0.0
        for position, weight in enumerate(rule.unit_turns, 1):
            reached += weight / total
            self._edges.append((reached, position))

    def turn(self, conversation: int) -> int:
        """The 1-based turn that counts for this conversation, the same for ever."""
        if len(self._edges) == 1:
            return self._edges[0][1]
        u = xxhash.xxh3_64_intdigest(conversation.to_bytes(8, "little", signed=True), self._seed) / 2**64
        return next((position for edge, position in self._edges if u < edge), self._edges[-1][1])


def user_turns(event: Event) -> int:
    """The turn's position as the messages show it: how many the user has sent, at least 1."""
    turns = 0
    for message in event.messages or ():
        if message.role == "user":
            turns += 1
    return turns or 1


_encode = msgspec.msgpack.Encoder()
_decode = msgspec.msgpack.Decoder(list[Tail])


def pack_tails(tails: list[Tail]) -> bytes:
    """Tails as bytes for the store."""
    return _encode.encode(tails)


def unpack_tails(body: bytes) -> Iterator[Tail]:
    """The inverse of `pack_tails`."""
    yield from _decode.decode(body)


def conversation_hash(deployment: str, conversation: str, seed: int) -> int:
    """A keyed 64-bit name of a conversation, signed, so that no raw id lies in the tails."""
    return conversation_hashes(deployment, [conversation], seed)[0]


def conversation_hashes(deployment: str, conversations: Sequence[str], seed: int) -> list[int]:
    """The same of many."""
    digest, prefix, top = xxhash.xxh3_64_intdigest, f"{deployment}\0".encode(), 1 << 63
    return [(digest(prefix + conversation.encode(), seed) ^ top) - top for conversation in conversations]
