"""What an arm may spend a day: reserved before it is asked, given back when the bill is known.

A request is bounded beforehand by a token for every byte that is sent, `MARGIN` more for what the server's chat
template adds, and its longest answer. What a killed worker had reserved stays spent, so nothing is overspent.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from math import ceil, inf

from monitor.plan import ArmRule, PriceRule
from shadow.errors import Retry
from shadow.ports import Spending

MARGIN = 512


@dataclass(frozen=True, slots=True)
class Amount:
    """Tokens, and money in millionths of the plan's currency."""

    tokens: int = 0
    micros: int = 0

    def __add__(self, other: Amount) -> Amount:
        return Amount(self.tokens + other.tokens, self.micros + other.micros)

    def __sub__(self, other: Amount) -> Amount:
        return Amount(self.tokens - other.tokens, self.micros - other.micros)

    def covers(self, other: Amount) -> bool:
        """Whether the other can be taken from this."""
        return self.tokens >= other.tokens and self.micros >= other.micros


@dataclass(frozen=True, slots=True)
class Limits:
    """What an arm's rule allows, and what its tokens cost."""

    daily_tokens: float
    daily_micros: float
    price: PriceRule

    @classmethod
    def of(cls, rule: ArmRule) -> Limits | None:
        """The limits of a rule; None if it has none."""
        if rule.tokens_per_day is None and rule.money_per_day is None:
            return None
        tokens = inf if rule.tokens_per_day is None else rule.tokens_per_day
        micros = inf if rule.money_per_day is None else int(rule.money_per_day * 1_000_000)
        return cls(tokens, micros, rule.price_per_million or PriceRule())

    def bill(self, prompt: int, completion: int) -> Amount:
        """What so many tokens amount to, rounded up; a price for a million is millionths for one."""
        return Amount(prompt + completion, ceil(prompt * self.price.input + completion * self.price.output))

    def bound(self, size: int, max_tokens: int) -> Amount:
        """The most that a request of so many bytes can amount to."""
        return self.bill(size + MARGIN, max_tokens)


class Purse:
    """What was reserved for one batch. Every try takes its bound, and brings back what it did not use."""

    def __init__(self, reserved: Amount) -> None:
        self.left = reserved
        self._out = 0
        self._brought = asyncio.Event()

    async def take(self, bound: Amount) -> bool:
        """Takes a bound out, once enough was brought back by tries that are under way; False if it never can be."""
        while not self.left.covers(bound):
            if not self._out:
                return False
            self._brought.clear()
            await self._brought.wait()
        self._out += 1
        self.left = self.left - bound
        return True

    def bring(self, bound: Amount, used: Amount) -> None:
        """Brings back what a try did not use of its bound."""
        self._out -= 1
        self.left = self.left + bound - used
        self._brought.set()


class Account:
    """Where an arm's purses come from. Without `limits` they hold nothing, and nothing is counted."""

    def __init__(self, arm: str, limits: Limits | None, spending: Spending | None) -> None:
        self.arm = arm
        self.limits = limits if spending is not None else None
        self._spending = spending

    @contextmanager
    def purse(self, bounds: Iterable[Amount]) -> Iterator[Purse]:
        """What the day leaves of these bounds, for one batch; what the batch did not need goes back after it."""
        if self.limits is None or self._spending is None:
            yield Purse(Amount())
            return
        wanted = sum(bounds, Amount())
        daily = {"daily_tokens": self.limits.daily_tokens, "daily_micros": self.limits.daily_micros}
        day, tokens, micros = self._spending.reserve(self.arm, wanted.tokens, wanted.micros, **daily)
        purse = Purse(Amount(tokens, micros))
        try:
            yield purse
        finally:
            with suppress(Retry):  # then it stays spent
                self._spending.give_back(self.arm, day, purse.left.tokens, purse.left.micros)
