"""What evidence counts: at most one unit a conversation, at its drawn turn; corrections, on the turn before."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec import structs

from monitor.conversations import Conversations, UnitDraw, conversation_hash
from monitor.plan import DeploymentRule
from tests.support.events import START, Json, lines, plan, request
from tests.support.stores import ListSource, counted, seal_all, store, take

PLAN = plan(unit_turns=[1.0])


def talk(name: str, turns: int, start: float = START, **given: object) -> list[Json]:
    """A conversation about other things at every turn, five seconds a turn."""
    return [
        request(f"{name}-{n}", start + 5 * n, conversation=name, turn=n + 1, **given)
        | {"messages": [{"role": "user", "content": f"{TOPICS[n % len(TOPICS)]} {name}"}]}
        for n in range(turns)
    ]


TOPICS = (
    "which red shoes are there for children",
    "how long does a parcel take to Norway",
    "can invoices be sent to another address",
    "what colours does the raincoat come in",
)


@pytest.fixture
def sealed(tmp_path: Path) -> Callable[..., Callable[..., Counter[str]]]:
    """Takes records, seals everything, and gives a function that counts."""

    def run(*records: Json, watched=PLAN) -> Callable[..., Counter[str]]:  # type: ignore[no-untyped-def]
        engine = store(tmp_path)
        take(engine, watched, ListSource(lines(*records), size=3))
        seal_all(engine, watched)
        return lambda signal, **where: counted(engine, signal, **where)

    return run


def test_a_conversation_is_one_unit_however_long_it_is(sealed) -> None:  # type: ignore[no-untyped-def]
    count = sealed(*talk("a", 6), *talk("b", 2), request("alone", START + 31))
    assert count("traffic", population="all") == {"requests": 9}
    assert count("traffic") == {"requests": 3}


def units_of_conversations(served: Counter[str], conversations: int) -> None:
    """The checker: no more units than conversations."""
    assert served["requests"] <= conversations


def test_counting_turns_one_by_one_is_caught(sealed) -> None:  # type: ignore[no-untyped-def]
    count = sealed(*talk("a", 6), *talk("b", 4))
    units_of_conversations(count("traffic"), 2)
    with pytest.raises(AssertionError):
        units_of_conversations(count("traffic", population="all"), 2)


def test_a_conversation_without_its_drawn_turn_gives_no_unit(sealed) -> None:  # type: ignore[no-untyped-def]
    count = sealed(*talk("a", 2), *talk("b", 4), watched=plan(unit_turns=[0, 0, 1.0]))
    assert count("traffic") == {"requests": 1}


def test_a_turn_that_comes_twice_under_two_ids_is_one_unit(sealed) -> None:  # type: ignore[no-untyped-def]
    first = talk("a", 1)[0]
    count = sealed(first, first | {"id": "retry", "time": START + 2}, first | {"id": "early", "time": START - 3})
    assert count("traffic") == {"requests": 1}


def test_positions_are_counted_from_the_messages_where_the_log_has_no_turn(sealed) -> None:  # type: ignore[no-untyped-def]
    one = {"role": "user", "content": "which red shoes are there"}
    answer = {"role": "assistant", "content": "these"}
    other = {"role": "user", "content": "how long does a parcel to Norway take"}
    count = sealed(
        request("a", START, conversation="c", messages=[one]),
        request("b", START + 1, conversation="c", messages=[one, answer, other]),
        watched=plan(unit_turns=[0, 1.0]),
    )
    assert count("traffic") == {"requests": 1}


@pytest.mark.parametrize("weights", [(0.6, 0.3, 0.1), (1.0, 1.0, 1.0, 1.0)])
def test_the_turn_is_drawn_from_the_plan_s_distribution(weights: tuple[float, ...]) -> None:
    draw, n = UnitDraw(DeploymentRule(unit_turns=weights, seed=3)), 20_000
    found = Counter(draw.turn(conversation_hash("shop", f"c{i}", 3)) for i in range(n))
    expected = [n * weight / sum(weights) for weight in weights]
    chi_square = sum((found[turn] - want) ** 2 / want for turn, want in enumerate(expected, 1))
    assert chi_square < 25, "beyond one in 10,000 for up to three degrees of freedom"
    assert sum(found.values()) == n


def test_the_draw_is_the_same_for_ever_and_another_under_another_seed() -> None:
    rule = DeploymentRule(unit_turns=(1.0, 1.0), seed=3)
    names = [conversation_hash("shop", f"c{i}", 3) for i in range(200)]
    first = [UnitDraw(rule).turn(name) for name in names]
    assert first == [UnitDraw(rule).turn(name) for name in names]
    assert first != [UnitDraw(DeploymentRule(unit_turns=(1.0, 1.0), seed=4)).turn(name) for name in names]


def test_a_correction_is_blamed_on_the_variant_and_bucket_of_the_turn_before(sealed) -> None:  # type: ignore[no-untyped-def]
    said = {"messages": [{"role": "user", "content": "No, that's not what I asked for."}]}
    first, second = talk("a", 1)[0], talk("a", 2)[1]
    width = 30
    edge = (START // width + 1) * width
    count = sealed(
        first | {"time": edge - 1, "variant": "shop-int4"},
        second | said | {"time": edge + 1, "variant": "shop-fp16"},
    )
    before = int(edge // width) - 1
    assert count("correction", variant="shop-int4", bucket=before) == {"served": 1, "corrected": 1}
    assert count("correction", variant="shop-fp16", population="all") == {"served": 1}
    assert blamed(count) == "shop-int4"


def blamed(count: Callable[..., Counter[str]]) -> str:
    """The variant that the correction counts against."""
    found = [v for v in ("shop-int4", "shop-fp16") if count("correction", variant=v, population="all")["corrected"]]
    assert len(found) == 1
    return found[0]


def test_blaming_the_turn_that_corrects_is_caught(sealed, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    honest = Conversations.follow

    def faulty(self, turns):  # type: ignore[no-untyped-def]
        units, found = honest(self, turns)
        bucket, variant, mask = turns.places[-1]
        return units, [structs.replace(one, bucket=bucket, variant=variant, mask=mask) for one in found]

    monkeypatch.setattr(Conversations, "follow", faulty)
    said = {"messages": [{"role": "user", "content": "No, that's not what I asked for."}], "variant": "shop-fp16"}
    count = sealed(talk("a", 1)[0], talk("a", 2)[1] | said)
    with pytest.raises(AssertionError):
        assert blamed(count) == "shop-int4"


def test_a_turn_is_corrected_at_most_once(sealed) -> None:  # type: ignore[no-untyped-def]
    again = {"messages": [{"role": "user", "content": "No, that's not what I asked for."}]}
    first, second = talk("a", 2)
    count = sealed(first, second | again, second | again | {"id": "retry", "time": START + 6})
    found = count("correction", population="all")
    assert found["corrected"] == 2, "the first turn, and the second turn, each once"
    assert found["corrected"] <= found["served"] - 1


def test_a_correction_beyond_the_horizon_is_none(sealed) -> None:  # type: ignore[no-untyped-def]
    said = {"messages": [{"role": "user", "content": "No, that's not what I asked for."}]}
    first, second = talk("a", 2)
    count = sealed(first, second | said | {"time": START + 41})
    assert count("correction", population="all") == {"served": 2}


def test_requests_without_a_conversation_are_not_observed_for_corrections(sealed) -> None:  # type: ignore[no-untyped-def]
    assert sealed(request("a", START))("correction") == {"not_observed": 1}


def test_a_score_and_a_thumb_count_once_in_the_bucket_of_their_turn(sealed) -> None:  # type: ignore[no-untyped-def]
    from tests.support.events import feedback, score

    count = sealed(
        request("r", START),
        request("other", START + 31),
        score("s", "r", START + 32, 1.0),
        score("again", "r", START + 33, 0.0),
        feedback("f", "r", START + 34, "down"),
        feedback("g", "r", START + 35, "up"),
        watched=plan(joins={"share": 1.0, "horizon": "1m"}),
    )
    bucket = int(START // 30)
    assert count("late_score", bucket=bucket) == {"open": 1, "16/16": 1}
    assert count("feedback", bucket=bucket) == {"open": 1, "down": 1}
