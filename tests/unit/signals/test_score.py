"""Scores: the team's own or against a known answer, counted on a grid that keeps the mean."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import xxhash
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.model import Event, Expected, Output, ToolCall
from monitor.signals.columns import Columns
from monitor.signals.score import (
    DIFFERENCE_GRID,
    GRID,
    TOP,
    Score,
    difference_cell,
    grid_cell,
    quantised,
    same,
)

DATA = Path(__file__).parents[2] / "data"


def refused(event: Event, output: Output) -> bool | None:
    return None if output.text is None else output.text.startswith("I cannot")


SCORE = Score(refused, seed=7)


def event(**fields: Any) -> Event:
    return Event(**{"id": "r", "deployment": "d", "variant": "v", "time": 0.0, **fields})


def expecting(kind: Any, value: Any = None) -> Event:
    raw = value if isinstance(value, bytes) else msgspec.json.encode(value)
    return event(expected=Expected(kind, msgspec.Raw(raw)))


def calls(*pairs: tuple[str, str]) -> Output:
    return Output(tool_calls=tuple(ToolCall(name, arguments) for name, arguments in pairs))


F = {"name": "f", "arguments": {"n": 1}}
DEEP = "[" * 1_000 + "]" * 1_000


@pytest.mark.parametrize(
    ("asked", "output", "right", "reason"),
    [
        (expecting("json", {"a": [1, None]}), Output(text=' {"a": [1.0, null]}'), True, "equal values"),
        (expecting("json", {"a": 1}), Output(text='{"a": true}'), False, "true is not 1"),
        (expecting("json", {"a": 1}), Output(text='{"a": 1, "b": 2}'), False, "one key more"),
        (expecting("json", [1, 2]), Output(text="[2, 1]"), False, "another order"),
        (expecting("json", [1]), Output(text="{}"), False, "another type"),
        (expecting("json", {}), Output(text="{"), False, "does not parse"),
        (expecting("json", {}), Output(), False, "no text"),
        (expecting("json", DEEP.encode()), Output(text=DEEP), True, "deep, equal"),
        (expecting("json", DEEP.encode()), Output(text=f"[{DEEP[1:-1]}]"), True, "deep, equal"),
        (expecting("json", b"{"), Output(text="{}"), None, "a broken expectation"),
        (expecting("json", b"NaN"), Output(text="NaN"), None, "a broken expectation"),
        (expecting("json", 1), Output(text="1" * 5_000), False, "a number beyond all bounds"),
        (expecting("text", "Straße"), Output(text=" STRASSE\n"), True, "trimmed, case folded"),
        (expecting("text", "a"), Output(text="b"), False, "another text"),
        (expecting("text", "a"), Output(text="\ud800"), False, "no characters"),
        (expecting("text", 5), Output(text="5"), None, "an expectation that is no text"),
        (expecting("tool_call", F), calls(("f", '{"n": 1}')), True, "name and arguments"),
        (expecting("tool_call", F), calls(("g", "{}"), ("f", '{"n":1}')), True, "among others"),
        (expecting("tool_call", F), calls(("g", '{"n":1}')), False, "another name"),
        (expecting("tool_call", F), calls(("f", '{"n":2}')), False, "other arguments"),
        (expecting("tool_call", F), calls(("f", '{"n":')), False, "broken arguments"),
        (expecting("tool_call", F), Output(text="hello"), False, "no call"),
        (expecting("tool_call", {"name": "f"}), calls(("f", "{}")), True, "no arguments wanted"),
        (expecting("tool_call", [F, {"name": "g"}]), calls(("g", "{}"), ("f", '{"n":1}')), True, "both, any order"),
        (expecting("tool_call", [F]), calls(("f", '{"n":1}'), ("g", "{}")), False, "one too many"),
        (expecting("tool_call", "f"), calls(("f", "{}")), None, "an expectation that is no call"),
        (expecting("refusal"), Output(text="I cannot."), True, "refused as it should"),
        (expecting("refusal"), Output(text="Sure."), False, "complied where it should not"),
        (expecting("comply"), Output(text="Sure."), True, "complied as it should"),
        (expecting("comply"), Output(text="I cannot."), False, "refused where it should not"),
        (expecting("comply"), Output(), None, "nobody can tell"),
        (expecting("text", "a"), None, None, "no output"),
        (event(), Output(text="a"), None, "nothing was expected"),
    ],
)
def test_a_score_against_a_known_answer(asked: Event, output: Output | None, right: bool | None, reason: str) -> None:
    expected = None if right is None else TOP * right
    assert SCORE.value(asked, output) == expected, reason
    assert SCORE.judge(asked, output) == ((17,) if right is None else (16 * right,)), reason


def test_real_tool_calls_score_one_and_their_mutilations_zero() -> None:
    for line in (DATA / "bfcl/requests.jsonl").read_text().splitlines():
        truth = json.loads(line)["ground_truth"]
        if truth is None:
            continue
        wanted = [{"name": name, "arguments": given} for call in truth for name, given in call.items()]
        made = [(call["name"], json.dumps(call["arguments"], indent=1)) for call in wanted]
        asked = expecting("tool_call", wanted)
        assert SCORE.value(asked, calls(*reversed(made))) == TOP
        assert SCORE.value(asked, calls(*made[:-1])) == 0
        assert SCORE.value(asked, calls(*made[:-1], (made[-1][0], made[-1][1].replace(":", "::", 1)))) == 0


def test_each_score_belongs_to_its_own_output() -> None:
    both = event(
        output=Output(text="a"),
        reference=Output(text="b"),
        score=0.25,
        reference_score=0.75,
        expected=Expected("text", msgspec.Raw(b'"a"')),
    )
    assert SCORE.value(both, both.output) == round(0.25 * TOP)
    assert SCORE.value(both, both.reference) == round(0.75 * TOP)
    assert SCORE.value(both, Output(text="A")) == TOP
    assert SCORE.value(event(score=0.5), None) == round(0.5 * TOP)
    assert SCORE.value(event(score=0.5, output=Output()), Output(text="replayed")) is None


@pytest.mark.parametrize("score", [float("nan"), float("inf"), -0.1, 1.1, 1e308])
def test_a_score_out_of_bounds_is_none(score: float) -> None:
    assert quantised(score) is None
    assert SCORE.judge(event(score=score), None) == (17,)


def test_the_ends_of_the_grid_are_never_rounded_away() -> None:
    for k in range(200):
        event_hash = xxhash.xxh3_64_intdigest(b"%d" % k)
        assert (grid_cell(0, event_hash), grid_cell(TOP, event_hash)) == (0, 16)
        assert difference_cell(TOP, 0, event_hash) == 32
        assert difference_cell(0, TOP, event_hash) == 0
        assert difference_cell(k, k, event_hash) == 16


@settings(max_examples=200)
@given(st.integers(0, TOP), st.integers(0, TOP), st.integers(0, 2**64 - 1))
def test_a_value_is_counted_on_a_neighbouring_point(a: int, b: int, event_hash: int) -> None:
    assert abs(GRID[grid_cell(a, event_hash)] - a / TOP) < 1 / 16
    assert abs(DIFFERENCE_GRID[difference_cell(a, b, event_hash)] - (a - b) / TOP) < 1 / 16


@pytest.mark.parametrize("score", [0.01, 0.26, 0.5, 0.77, 0.999])
def test_rounding_keeps_the_mean(score: float) -> None:
    """The bound is exceeded once in 10^9 (Hoeffding, points at most 1/16 apart)."""
    n = 20_000
    bound = math.sqrt(math.log(2e9) / (2 * n)) / 16
    rows = [SCORE.judge(event(id=f"request-{k}", score=score), None)[0] for k in range(n)]
    assert abs(np.mean([GRID[row] for row in rows]) - score) < bound + 1 / TOP
    hashes = [xxhash.xxh3_64_intdigest(b"pair-%d" % k) for k in range(n)]
    for a, b in ((round(score * TOP), 20_000), (20_000, round(score * TOP))):
        mean = np.mean([DIFFERENCE_GRID[difference_cell(a, b, h)] for h in hashes])
        assert abs(mean - (a - b) / TOP) < bound


def test_another_seed_rounds_other_events_up() -> None:
    events = [event(id=f"{k}", score=0.53) for k in range(64)]
    rows = [Score(refused, seed).judge_all(Columns(events)).ravel().tolist() for seed in (1, 2)]
    assert rows[0] != rows[1]


def test_another_refusal_model_is_a_new_series() -> None:
    digests = {Score(refused, artefact=artefact).definitions[0].digest for artefact in (b"one", b"two")}
    assert len(digests) == 2


SCALARS = st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from([0.0, 1.0, 1.5, "a"])
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from("ab"), inner, max_size=2),
    max_leaves=6,
)


def canonical(value: Any) -> Any:
    """Equal for equal JSON values, written independently: booleans named, numbers as floats."""
    if isinstance(value, dict):
        return {key: canonical(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [canonical(inner) for inner in value]
    return f"{value}!" if isinstance(value, bool) else value


@settings(max_examples=300)
@given(JSON, JSON)
def test_json_equality(a: Any, b: Any) -> None:
    assert same(a, b) == (canonical(a) == canonical(b))
    assert same(a, json.loads(json.dumps(a)))


EVENTS = st.builds(
    event,
    id=st.text(max_size=4),
    score=st.none() | st.floats(0, 1) | st.floats(),
    output=st.none() | st.builds(Output, st.none() | st.sampled_from(["1", "a", "I cannot"])),
    expected=st.none()
    | st.builds(
        Expected,
        st.sampled_from(["json", "text", "tool_call", "refusal", "comply"]),
        st.sampled_from([b"1", b'"a"', b"{", b'{"name":"f"}']).map(msgspec.Raw),
    ),
)


@settings(max_examples=200, deadline=None)
@given(st.lists(EVENTS, max_size=6), st.integers(0, 6))
def test_batches_equal_single_events_however_they_are_split(events: list[Event], cut: int) -> None:
    rows = np.array([SCORE.judge(e, e.output) for e in events], dtype=np.int16).reshape(-1, 1)
    assert np.array_equal(SCORE.judge_all(Columns(events)), rows)
    halves = [SCORE.judge_all(Columns(events[:cut])), SCORE.judge_all(Columns(events[cut:]))]
    assert np.array_equal(np.concatenate(halves), rows)
