"""Patterns and a team's own validators."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.errors import PlanError
from monitor.model import Event, Output, ToolCall
from monitor.plan import PatternRule, Where
from monitor.signals.columns import Columns
from monitor.signals.patterns import Patterns
from monitor.signals.validators import Validators

CITED = PatternRule("cited", r"\[\d+\]")
POLITE = PatternRule("polite", "(?i)as an ai", must="not_match")
GERMAN = PatternRule("german", r"\p{L}", where=Where(language="de"))


def event(text: str | None = None, **fields: Any) -> Event:
    output = fields.pop("output", None if text is None else Output(text=text))
    return Event(id="r", deployment="d", variant="v", time=0.0, output=output, **fields)


def tagged(event: Event, where: Where) -> bool:
    return (event.tags or {}).get("language") == where.language


def cells(rules: tuple[PatternRule, ...], event: Event) -> tuple[str, ...]:
    family = Patterns(rules, tagged)
    row = family.judge(event, event.output)
    return tuple(d.cells[cell] for d, cell in zip(family.definitions, row, strict=True))


@pytest.mark.parametrize(
    ("judged", "expected", "reason"),
    [
        (event("Rome was founded in 753 BC [1]."), ("ok", "ok"), "cited, polite"),
        (event("As an AI I cannot know [1]."), ("ok", "bad"), "the unwanted phrase"),
        (event("Rome"), ("bad", "ok"), "the wanted citation is missing"),
        (event(""), ("bad", "ok"), "an empty answer cites nothing"),
        (event(), ("no_content", "no_content"), "no output"),
        (event(output=Output(tool_calls=(ToolCall("f"),))), ("no_content", "no_content"), "no text"),
        (event("\0\ud800 [7]"), ("ok", "ok"), "characters that do not encode"),
    ],
)
def test_wanted_and_unwanted_expressions(judged: Event, expected: tuple[str, ...], reason: str) -> None:
    assert cells((CITED, POLITE), judged) == expected, reason


def test_a_rule_speaks_only_of_the_requests_its_where_matches() -> None:
    assert cells((GERMAN, CITED), event("123 [1]")) == ("not_asked", "ok")
    assert cells((GERMAN, CITED), event("123 [1]", tags={"language": "de"})) == ("bad", "ok")
    assert cells((GERMAN,), event()) == ("not_asked",)


def test_without_rules_there_are_no_columns() -> None:
    family = Patterns((), tagged)
    assert family.definitions == ()
    assert family.judge_all(Columns([event("x")] * 3)).shape == (3, 0)


@pytest.mark.parametrize("expression", ["(", "(?=a)", r"(a)\1"])
def test_what_re2_refuses_is_an_error_of_the_plan(expression: str) -> None:
    with pytest.raises(PlanError) as caught:
        Patterns((PatternRule("p", expression),), tagged)
    assert caught.value.key == "patterns.p"


def test_two_rules_of_one_name_are_an_error_of_the_plan() -> None:
    with pytest.raises(PlanError):
        Patterns((CITED, CITED), tagged)


def test_a_changed_rule_is_a_new_series() -> None:
    rules = (CITED, PatternRule("cited", r"\[\d\]"), PatternRule("cited", r"\[\d+\]", must="not_match"))
    assert len({Patterns((rule,), tagged).definitions[0].digest for rule in rules}) == 3


def test_a_hostile_expression_stays_linear() -> None:
    assert cells((PatternRule("p", "^(a+)+$"),), event("a" * 200_000 + "b")) == ("bad",)


class Check:
    """A team's validator around a function."""

    def __init__(self, name: str, check: Callable[[Event, Output], bool | None], version: int = 1) -> None:
        self.name = name
        self.version = version
        self.valid = check


def broken(event: Event, output: Output) -> bool | None:
    raise KeyError(event.id)


def test_validators_count_what_they_say_and_a_broken_one_is_neither_ok_nor_bad() -> None:
    family = Validators(
        (
            Check("short", lambda e, o: o.text is not None and len(o.text) < 5),
            Check("unasked", lambda e, o: None),
            Check("broken", broken),
        )
    )
    assert [d.signal for d in family.definitions] == ["validator:short", "validator:unasked", "validator:broken"]

    def judged(e: Event) -> list[str]:
        return [d.cells[c] for d, c in zip(family.definitions, family.judge(e, e.output), strict=True)]

    assert judged(event("abc")) == ["ok", "not_asked", "broken"]
    assert judged(event("abcdef")) == ["bad", "not_asked", "broken"]
    assert judged(event()) == ["no_content"] * 3


def test_a_validator_of_a_new_version_is_a_new_series() -> None:
    digests = {Validators((Check("c", broken, version),)).definitions[0].digest for version in (1, 2)}
    assert len(digests) == 2


EVENTS = st.builds(
    event,
    st.none() | st.text(max_size=12) | st.sampled_from(["as an AI", "[12]"]),
    tags=st.none() | st.just({"language": "de"}),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(EVENTS, max_size=6), st.integers(0, 6))
def test_batches_equal_single_events_however_they_are_split(events: list[Event], cut: int) -> None:
    families = (
        Patterns((CITED, POLITE, GERMAN), tagged),
        Validators((Check("short", lambda e, o: len(o.text or "") < 5), Check("broken", broken))),
    )
    for family in families:
        rows = np.array([family.judge(e, e.output) for e in events], dtype=np.int16)
        rows = rows.reshape(len(events), len(family.definitions))
        assert np.array_equal(family.judge_all(Columns(events)), rows)
        halves = [family.judge_all(Columns(events[:cut])), family.judge_all(Columns(events[cut:]))]
        assert np.array_equal(np.concatenate(halves), rows)
