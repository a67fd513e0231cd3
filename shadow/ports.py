"""What the shadow worker asks of the outside: a leased queue of replays, and a judge of outputs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from monitor.model import Arm, Event, Missing, Output
from monitor.signals.fidelity import TokenFidelity

Judge = Callable[[Event, Output], dict[str, int]]
"""Signal name -> outcome of an output to an event: yes/no 1/0, scores 0..65535, missing a negative code."""


@dataclass(frozen=True, slots=True)
class ReplayTask:
    """One sampled unit that waits for its replays. `event` is native event JSON; `arms` are those still wanted.

    `attempts` counts how often the task was released before.
    """

    pair_id: str
    deployment: str
    variant: str
    event: bytes
    arms: tuple[Arm, ...] = (Arm.DEPLOYED, Arm.REFERENCE)
    attempts: int = 0


@dataclass(frozen=True, slots=True)
class ArmResult:
    """What one arm of a pair gave: an output with its outcomes, or the reason why there is none.

    Exactly one of `output` and `missing` is None. `outcomes` is empty where `missing` is set. `fidelity` compares
    this arm with the first reference replay on the logged tokens; it is None for the reference itself, where
    nothing was logged, and where the two were not replayed in one batch. `seconds` is the share of the batch's wall
    time that this replay took.
    """

    pair_id: str
    arm: Arm
    outcomes: dict[str, int]
    output: Output | None
    missing: Missing | None
    fidelity: TokenFidelity | None
    seconds: float


class ReplayQueue(Protocol):
    """A shared queue of replay tasks. Every method may raise `Retry`, having changed nothing.

    A task is leased to one worker at a time; a lease that expires gives the task to whoever asks next, so a
    killed worker loses nothing. The price is that two workers may finish the same arm: the first result wins.
    """

    def lease(self, limit: int, worker: str, seconds: float) -> list[ReplayTask]:
        """Up to `limit` open tasks that nobody holds, oldest first, held by `worker` for `seconds`."""
        ...

    def finish(self, results: Sequence[ArmResult]) -> None:
        """Keeps the first result per (pair, arm) and drops later ones; a pair with all its arms is done.

        All of `results` or none are kept. Calling it again with the same results changes nothing. Results of
        unknown pairs are ignored.
        """
        ...

    def postpone(self, pair_ids: Sequence[str], seconds: float) -> None:
        """Gives tasks back without an attempt; nobody is given them for `seconds`. Their filled arms stay filled.

        Pairs that are done or unknown are ignored.
        """
        ...

    def release(self, pair_ids: Sequence[str], reason: str) -> None:
        """Gives tasks back at once with one more attempt; after too many the store quarantines them.

        `reason` is a short constant without any text of the request. Pairs that are done or unknown are ignored.
        """
        ...


class Spending(Protocol):
    """What arms have spent today, kept where every worker sees it, by UTC's days. May raise `Retry`."""

    def reserve(
        self, arm: str, tokens: int, micros: int, *, daily_tokens: float, daily_micros: float
    ) -> tuple[int, int, int]:
        """The day, and the tokens and millionths that an arm gets of those it wants; what it gets counts as spent."""
        ...

    def give_back(self, arm: str, day: int, tokens: int, micros: int) -> None:
        """Takes back what was reserved on a day and not used."""
        ...
