"""What is remembered of a conversation: its last turn, as keyed signatures and numbers, never as text.

Everything here is decided by the conversation's own event times, so that memory that was evicted, or rebuilt from
the store, answers as memory that never left.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import repeat
from typing import Final

import msgspec
import numpy as np
import xxhash

from monitor.model import Event
from monitor.plan import DeploymentRule, seconds
from monitor.signals.correction import kind_of, likenesses, signatures
from monitor.signals.text import WIDTH, Words16
from monitor.tails import NOBODY, Flags, Ints, Place, Rows, Small, Tails

_UNIT_SALT: Final = 0x0F_17
_SMALL: Final = 1 << 12
"""Up to so many tails, what has expired is dropped at once; beyond, when it is half of all."""


class Correction(msgspec.Struct, frozen=True, gc=False):
    """An outcome for an earlier turn: it was corrected, and whether that made a loop."""

    bucket: int
    variant: str
    mask: bytes
    unit: bool
    loop: bool


@dataclass(frozen=True, slots=True)
class Turns:
    """Turns of conversations in log order, all lists parallel.

    `places` are where they were served; `positions` count the user's turns from 1; `prompts` are the user's last
    words, None where the log has none.
    """

    names: Ints
    times: Ints
    places: Sequence[Place]
    positions: Sequence[int]
    actions: Sequence[str | None]
    prompts: Sequence[str | None]


class Conversations:
    """The tails of one deployment's recent conversations, bounded by event time."""

    def __init__(self, rule: DeploymentRule) -> None:
        self.horizon = int(seconds(rule.correction.horizon) * 1000)
        self._loop = rule.correction.loop
        self._key = rule.seed
        self._draw = UnitDraw(rule)
        self._tails = Tails()
        self._packs: deque[tuple[int, int]] = deque()
        self._over = 0

    def __len__(self) -> int:
        return len(self._tails)

    def follow(self, turns: Turns) -> tuple[Flags, list[Correction]]:
        """Which of the turns are units, and the corrections of earlier turns, these or remembered ones."""
        drawn = np.array(turns.positions, dtype=np.int64) == self._draw.turns(turns.names)
        units, before, rows = self._tails.follow(turns.names, turns.times, drawn, self.horizon)
        signed = signatures([text or "" for text in turns.prompts], self._key)
        places = np.array(list(map(self._tails.number, turns.places)), dtype=np.int32)
        runs = np.zeros(len(rows), dtype=np.int32)
        correcting = self._correcting(turns, before, signed)
        found = [self._correct(i, int(before[i]), places, units, runs) for i in correcting]
        self._tails.settle(rows, places, units, runs, signed)
        return units, found

    def _correcting(self, turns: Turns, before: Ints, signed: Words16) -> list[int]:
        """Which turns correct the one before them."""
        told = [i for i in np.flatnonzero(before != NOBODY).tolist() if turns.prompts[i] is not None]
        earlier = before[told]
        prints, old = np.empty((len(told), WIDTH), dtype="<u2"), earlier < NOBODY
        prints[old] = self._tails.rows["signature"][-2 - earlier[old]]
        prints[~old] = signed[earlier[~old]]
        alike = likenesses(prints, signed[told])
        prompts, actions = turns.prompts, turns.actions
        return [
            i
            for i, likeness in zip(told, alike, strict=True)
            if kind_of(likeness, prompts[i], actions[i]) is not None  # type: ignore[arg-type]
        ]

    def _correct(self, i: int, before: int, places: Small, units: Flags, runs: Small) -> Correction:
        """Turn i corrects the one before it."""
        if before >= 0:
            place, unit, run = places[before], units[before], runs[before]
        else:
            place, unit, run = (self._tails.rows[column][-2 - before] for column in ("place", "unit", "run"))
        runs[i] = run + 1
        bucket, variant, mask = self._tails.places[place]
        return Correction(bucket=bucket, variant=variant, mask=mask, unit=bool(unit), loop=int(run) + 1 == self._loop)

    def take_touched(self) -> bytes:
        """The tails that changed since the last call, packed; nothing if none did."""
        rows = self._tails.take_touched()
        self._remember(rows)
        return self._tails.packed(rows) if len(rows) else b""

    def restore(self, packed: Iterable[bytes]) -> None:
        """Puts back packed tails, oldest first: a later one of the same conversation replaces an earlier one."""
        for body in packed:
            self._remember(self._tails.restore(body))

    def _remember(self, rows: Rows) -> None:
        """Notes how many tails came together, and when the last of them has had its time."""
        if len(rows):
            self._packs.append((int(rows["time"].max()), len(rows)))

    def expire(self, watermark: int, lateness: int) -> None:
        """Forgets tails that no acceptable event can meet any more, once it is worth the work; changes no answer."""
        edge = watermark - lateness - self.horizon
        while self._packs and self._packs[0][0] < edge:
            self._over += self._packs.popleft()[1]
        if self._over and (len(self) <= _SMALL or self._over * 2 >= len(self)):
            self._over = 0
            self._tails.sweep(edge)


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

    def turns(self, conversations: Ints) -> Ints | int:
        """The same of many; one number where all draw the same."""
        if len(self._edges) == 1:
            return self._edges[0][1]
        return np.array([self.turn(conversation) for conversation in conversations.tolist()], dtype=np.int64)

    def turn(self, conversation: int) -> int:
        """The 1-based turn that counts for this conversation, the same for ever."""
        if len(self._edges) == 1:
            return self._edges[0][1]
        u = xxhash.xxh3_64_intdigest(conversation.to_bytes(8, "little", signed=True), self._seed) / 2**64
        return next((position for edge, position in self._edges if u < edge), self._edges[-1][1])


def positions(events: Sequence[Event]) -> list[int]:
    """Which of the user's turns each is, from 1: as the log says, else as many as its messages show."""
    return [
        1  # as most are
        if event.turn is None and (len(said := event.messages or ()) < 2 or (len(said) == 2 and said[0].role != "user"))
        else event.turn or [message.role for message in event.messages or ()].count("user") or 1
        for event in events
    ]


def conversation_hash(deployment: str, conversation: str, seed: int) -> int:
    """A keyed 64-bit name of a conversation, signed, so that no raw id lies in the tails."""
    return int(conversation_hashes(deployment, [conversation], seed)[0])


def conversation_hashes(deployment: str, conversations: Sequence[str], seed: int) -> Ints:
    """The same of many."""
    keys = map(f"{deployment}\0".encode().__add__, map(str.encode, conversations))
    found = b"".join(map(xxhash.xxh3_64_digest, keys, repeat(seed)))
    return np.frombuffer(found, dtype=">i8").astype(np.int64)
