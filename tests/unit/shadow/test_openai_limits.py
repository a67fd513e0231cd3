"""What an arm may spend a day is never exceeded: not by many at once, not by retries, not by being killed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from monitor.model import Message, Output
from monitor.plan import ArmRule, PriceRule
from services.store.spending import Spending
from shadow.backends.backend import Request
from shadow.backends.limits import MARGIN, Amount, Limits
from shadow.backends.openai import OpenAIBackend
from shadow.errors import EngineFault, Later
from tests.support.engine import Engine, Json
from tests.support.faults import Cut, Hang, Status
from tests.support.stores import store

DAY = 86_400_000
NOON = 20_000 * DAY + DAY // 2


class World:
    """A server that counts what it bills, and a store that counts what was spent."""

    def __init__(self, folder: Path, engine: Engine, **rule: Any) -> None:
        self.engine = engine
        self.now = NOON
        self.spending = Spending(store(folder), lambda: self.now)
        self.rule = ArmRule(backend="openai", url=engine.url, model="small", timeout="300ms", **rule)

    def backend(self) -> OpenAIBackend:
        found = OpenAIBackend(self.rule, spending=self.spending)
        found.connect()
        return found

    @property
    def spent(self) -> tuple[int, int]:
        return self.spending.spent(f"small@{self.engine.url.split('/')[2]}")


class Counting(Engine):
    """Remembers the bill of everything that it began to answer."""

    def complete(self, body: Json) -> Json:
        found = super().complete(body)
        self.billed = getattr(self, "billed", 0) + found["usage"]["total_tokens"]
        return found


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shadow.backends.http.FIRST_PAUSE", 0.01)


def say(_: Json) -> str:
    return "one two three four five six seven eight nine ten"


def requests(count: int) -> list[Request]:
    return [Request(str(n), (Message("user", f"tell me about number {n}"),), max_tokens=20) for n in range(count)]


def answered(found: list[Any]) -> int:
    assert {type(each) for each in found} <= {Output, Later}
    assert {str(each) for each in found if isinstance(each, Later)} <= {"day_spent"}
    return sum(isinstance(each, Output) for each in found)


def test_what_was_not_needed_of_a_bound_goes_back(tmp_path: Path) -> None:
    with Counting(say) as engine:
        world = World(tmp_path, engine, tokens_per_day=100_000)
        assert answered(world.backend().generate(requests(10))) == 10
        assert world.spent == (engine.billed, 0)


def test_the_day_s_tokens_are_never_exceeded_and_the_rest_waits(tmp_path: Path) -> None:
    with Counting(say) as engine:
        world = World(tmp_path, engine, tokens_per_day=2_000, concurrency=8)
        build = world.backend()
        while answered(build.generate(requests(16))):
            assert engine.billed <= 2_000
        assert engine.billed > 1_000, "bounds are wide, and what they were too wide by comes back"
        later = build.generate(requests(1))[0]
        assert isinstance(later, Later)
        assert later.seconds == 600
        world.now += DAY // 2
        assert answered(build.generate(requests(1))) == 1, "a new day"


def test_money_is_counted_by_the_plan_s_prices_in_and_out(tmp_path: Path) -> None:
    with Counting(say) as engine:
        price = PriceRule(input=2.5, output=10.0)
        world = World(tmp_path, engine, price_per_million=price, money_per_day=0.005)
        build = world.backend()
        tokens, before = world.spent
        assert answered(build.generate(requests(1))) == 1
        prompt, completion = 7, 10
        assert world.spent == (tokens + prompt + completion, before + 118)
        while answered(build.generate(requests(16))):
            assert world.spent[1] <= 5_000
        assert world.spent[1] > 3_000


def test_two_workers_share_one_day(tmp_path: Path) -> None:
    with Counting(say) as engine:
        world = World(tmp_path, engine, tokens_per_day=1_500)
        for build in [world.backend(), world.backend()] * 10:
            answered(build.generate(requests(4)))
        assert engine.billed <= 1_500


def test_what_a_killed_worker_had_reserved_stays_spent(tmp_path: Path) -> None:
    class Killed(BaseException):
        pass

    class Dying(Spending):
        def give_back(self, *_: Any) -> None:
            raise Killed

    with Counting(say) as engine:
        world = World(tmp_path, engine, tokens_per_day=100_000)
        build = world.backend()
        build._account._spending = Dying(world.spending.engine, lambda: NOON)
        with pytest.raises(Killed):
            build.generate(requests(2))
        assert world.spent[0] >= engine.billed + 2 * MARGIN


def test_what_may_have_been_billed_counts_and_what_was_refused_does_not(tmp_path: Path) -> None:
    with Counting(say) as engine:
        world = World(tmp_path, engine, tokens_per_day=100_000)
        build = world.backend()
        before = world.spent[0]
        engine.faults = lambda _: Status(500)
        assert isinstance(build.generate(requests(1))[0], EngineFault)
        assert world.spent[0] == before
        build.breaker.note(answered=True)
        engine.faults = [Cut(), Hang(1.0)]
        assert isinstance(build.generate(requests(1))[0], Later | Output)
        assert world.spent[0] >= before + MARGIN


def test_a_server_that_sends_no_bill_is_counted_by_the_bound(tmp_path: Path) -> None:
    class Silent(Engine):
        def complete(self, body: Json) -> Json:
            found = super().complete(body)
            del found["usage"]
            return found

    with Silent(say) as engine:
        world = World(tmp_path, engine, tokens_per_day=100_000)
        build = world.backend()
        before = world.spent[0]
        build.generate(requests(1))
        assert world.spent[0] >= before + MARGIN + 20


def test_with_nothing_left_at_the_start_the_arm_waits_instead_of_stopping(tmp_path: Path) -> None:
    with Engine(say) as engine:
        world = World(tmp_path, engine, tokens_per_day=10)
        build = OpenAIBackend.open(world.rule, {}, world.spending)
        assert build.abilities is None
        found = build.generate(requests(2))
        assert [(str(each), each.seconds) for each in found if isinstance(each, Later)] == [("day_spent", 600)] * 2
        assert engine.requests == []


def test_a_rule_without_limits_counts_nothing(tmp_path: Path) -> None:
    assert Limits.of(ArmRule(backend="openai", price_per_million=PriceRule(1, 2))) is None
    with Engine(say) as engine:
        world = World(tmp_path, engine)
        assert answered(world.backend().generate(requests(3))) == 3
        assert world.spent == (0, 0)


def test_a_bound_covers_what_any_text_can_cost() -> None:
    limits = Limits.of(ArmRule(backend="openai", tokens_per_day=10, price_per_million=PriceRule(1.0, 3.0)))
    assert limits is not None
    text = json.dumps({"content": "日本語 🦙" * 40}, ensure_ascii=False).encode()
    assert limits.bound(len(text), 20).covers(limits.bill(len(text), 20))
    assert limits.bill(3, 5) == Amount(8, 18)
