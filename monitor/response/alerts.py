"""Alerts: what may happen to one, and in what state it is. The state follows from transitions; nothing stores it.

An alert is one opening of one *identity* (deployment, variant, kind, slice, signal, direction). What happened to
it is an append-only list of transitions, each at most once:

    opened ─► [silenced] ─► notified | grouped ─► [acknowledged] ─► resolved ─► [concluded] [cleared]

`silenced`, `notified` and `grouped` say what became of its notification; `concluded`, that its receivers were told
that the whole group is over; `cleared`, that the evidence of a resolved alert went away, so that the identity may
open anew. `resolved` is terminal: a new opening is a new alert, whose id is the identity's with `-2`, `-3`, … behind.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

import msgspec
import xxhash

from monitor.model import Finding

SYSTEM: Final = "quantwatch"
"""Who did what no person did."""

PAGES: Final = ("fail", "change")
"""Kinds that page. They latch: absence of the finding does not resolve them."""


class Word(StrEnum):
    """What can happen to an alert."""

    OPENED = "opened"
    SILENCED = "silenced"
    NOTIFIED = "notified"
    GROUPED = "grouped"
    ACKNOWLEDGED = "acknowledged"
    RESOLVED = "resolved"
    CONCLUDED = "concluded"
    CLEARED = "cleared"


class State(StrEnum):
    """What people see of an alert."""

    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    RESOLVED = "resolved"


@dataclass(frozen=True, slots=True)
class Transition:
    """One thing that happened to an alert. `at` is milliseconds since the epoch."""

    alert: str
    word: Word
    at: int
    by: str
    reason: str


@dataclass(frozen=True, slots=True)
class Ruling:
    """Whether something may happen to an alert, and why or why not."""

    allowed: bool
    reason: str


@dataclass(frozen=True, slots=True)
class Alert:
    """One opening of an identity, with everything that happened to it, in order."""

    id: str
    kind: str
    deployment: str
    variant: str
    slice: str
    signal: str
    direction: str
    history: tuple[Transition, ...] = ()

    def find(self, word: Word) -> Transition | None:
        """The transition of that word, if it happened."""
        return next((transition for transition in self.history if transition.word is word), None)

    @property
    def state(self) -> State:
        """Open, acknowledged or resolved."""
        return state(transition.word for transition in self.history)

    @property
    def identity(self) -> str:
        """What its findings have in common, as sixteen hex digits."""
        return self.id.partition("-")[0]

    @property
    def group(self) -> tuple[str, ...]:
        """Alerts that share one notification: all pages of a variant, or all tickets of one of its signals."""
        rest = ("page",) if self.kind in PAGES else ("ticket", self.signal)
        return (self.deployment, self.variant, *rest)


def identity(finding: Finding) -> str:
    """Sixteen hex digits over (deployment, variant, kind, slice, signal, direction)."""
    f = finding
    return xxhash.xxh3_64_hexdigest(
        msgspec.json.encode((f.deployment, f.variant, f.kind, f.slice, f.signal, f.direction))
    )


def state(words: Iterable[Word]) -> State:
    """The state that follows from what happened."""
    happened = set(words)
    if Word.RESOLVED in happened:
        return State.RESOLVED
    return State.ACKNOWLEDGED if Word.ACKNOWLEDGED in happened else State.OPEN


def ruling(words: Iterable[Word], word: Word) -> Ruling:
    """The one place that decides whether `word` may happen to an alert to which `words` happened."""
    happened = set(words)
    if word in happened:
        return Ruling(False, f"the alert is already {word}")
    if word is Word.OPENED:
        return Ruling(not happened, "nothing happened yet" if not happened else "the alert was opened before")
    if Word.OPENED not in happened:
        return Ruling(False, "there is no such alert")
    if word in (Word.CLEARED, Word.CONCLUDED):
        return _afterwards(happened, word)
    if Word.RESOLVED in happened:
        return Ruling(False, "the alert is resolved")
    settled = happened & {Word.NOTIFIED, Word.GROUPED}
    if word in (Word.SILENCED, Word.NOTIFIED, Word.GROUPED) and settled:
        return Ruling(False, f"its notification is {settled.pop()}")
    return Ruling(True, "the alert is open")


def _afterwards(happened: set[Word], word: Word) -> Ruling:
    if Word.RESOLVED not in happened:
        return Ruling(False, f"only a resolved alert can be {word}")
    if word is Word.CONCLUDED and Word.NOTIFIED not in happened:
        return Ruling(False, "nobody was notified of it")
    return Ruling(True, "the alert is resolved")


def edit(alert: Alert, word: Word, at: int, by: str, reason: str) -> Alert | Ruling:
    """The alert after `word`, or the refusal. Time never runs back: an earlier `at` becomes the last one's."""
    answer = ruling((transition.word for transition in alert.history), word)
    if not answer.allowed:
        return answer
    latest = max((transition.at for transition in alert.history), default=at)
    transition = Transition(alert.id, word, max(at, latest), by, reason)
    return replace(alert, history=(*alert.history, transition))


def opening(finding: Finding, earlier: int, at: int) -> Alert:
    """A new alert of a finding of whose identity `earlier` alerts are known."""
    name = identity(finding) + (f"-{earlier + 1}" if earlier else "")
    f = finding
    alert = Alert(name, f.kind, f.deployment, f.variant, f.slice, f.signal, f.direction)
    return replace(alert, history=(Transition(name, Word.OPENED, at, SYSTEM, f"a look found it: {f.kind}"),))
