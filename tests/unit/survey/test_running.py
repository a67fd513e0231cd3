"""Which signals will run: what is said of them is what counting them would show."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from monitor.model import Event
from monitor.plan import PatternRule, Plan, Where
from monitor.survey.extract import Extract
from monitor.survey.running import Running, merged, running
from monitor.watch import Watch
from tests.support.events import SCHEMA, START, TOOLS, Json, feedback, plan, request, score
from tests.unit.survey.conftest import OPEN

MISSING = ("no_content", "no_schema", "not_observed", "no_timing", "no_score", "not_asked", "broken")


def found(events: Sequence[Event], given: Plan = OPEN, later: Sequence[object] = ()) -> dict[str, Running]:
    watch = Watch("shop", given)
    return {each.signal: each for each in running(watch, events, later)}  # type: ignore[arg-type]


def test_every_cell_of_every_signal_says_something_or_is_a_reason() -> None:
    patterns = (PatternRule("p", "x"),)
    watch = Watch("shop", plan(patterns=[{"name": "p", "expression": "x"}]))
    for definition in watch.live:
        if definition.yes or definition.no:
            rest = set(definition.cells) - {*definition.yes, *definition.no}
            assert rest <= {*MISSING, "no_call"}, definition.signal
            assert not {*definition.yes, *definition.no} & set(MISSING)
        else:
            assert {cell for cell in definition.cells if cell.startswith("no")} <= set(MISSING)
    assert patterns


def test_a_signal_runs_where_the_log_has_what_it_reads(extract: Callable[..., Extract]) -> None:
    form = {"type": "json_schema", "json_schema": {"name": "o", "schema": SCHEMA}}
    whole: Json = {
        "response_format": form,
        "tools": TOOLS,
        "output": {"text": '{"sku": 7}', "finish_reason": "stop"},
        "timings": {"first_token": 10, "total": 100},
        "completion_tokens": 20,
        "score": 0.5,
        "conversation": "c",
    }
    bare: Json = {"messages": None, "output": None}
    events = extract([request("a", START, **whole), request("b", START, **bare)]).events
    runs = found(events)

    for signal in ("json", "schema", "tool_call", "first_token", "per_token", "total", "score", "correction"):
        assert (runs[signal].runs, runs[signal].requests) == (1, 2), signal
    assert (runs["schema"].yes, runs["json"].yes, runs["tool_call"].yes, runs["score"].yes) == (1, 0, 0, None)
    assert [signal for signal, each in runs.items() if each.gates] == ["schema", "tool_call", "refusal", "score"]
    assert "traffic" not in runs


@pytest.mark.parametrize(
    ("signal", "lacks"),
    [
        ("json", "JSON is not demanded"),
        ("tool_call", "no tools are offered"),
        ("total", "`timings.total` is not logged"),
        ("score", "neither a score nor an expected answer is logged"),
        ("correction", "no conversation is named"),
        ("feedback", "no `feedback` record speaks of it"),
        ("pattern:p", "these requests are not asked it"),
    ],
)
def test_what_a_signal_lacks_is_said_in_words(signal: str, lacks: str, extract: Callable[..., Extract]) -> None:
    asked = [{"name": "p", "expression": "x", "where": {"structure": "tools"}}]
    runs = found(extract([request("a", START)]).events, plan(patterns=asked))

    assert Where() != asked[0]["where"]
    assert (runs[signal].runs, runs[signal].lacks) == (0, lacks)


def test_an_output_that_is_not_logged_stops_what_reads_it(extract: Callable[..., Extract]) -> None:
    runs = found(extract([request("a", START, output=None)]).events)

    for signal in ("refusal", "truncation", "repetition", "empty", "length"):
        assert (runs[signal].runs, runs[signal].lacks) == (0, "the output is not logged, or has no text")


def test_scores_and_feedback_of_their_own_run_if_the_plan_keeps_requests_open(extract: Callable[..., Extract]) -> None:
    records = [request("a", START), score("s", "a", START + 1), feedback("f", "a", START + 1)]
    sample = extract(records)

    assert found(sample.events, plan(), sample.later)["late_score"].runs == 1
    closed = found(sample.events, plan(joins={"share": 0.0}), sample.later)["feedback"]
    assert (closed.runs, closed.lacks) == (0, "the plan keeps no requests open for it (`joins.share`)")


def test_deployments_are_added_up(extract: Callable[..., Extract]) -> None:
    with_tools = found(extract([request("a", START, tools=TOOLS, output={"text": ""})]).events)
    without = found(extract([request(n, START) for n in "bc"]).events)
    (tools,) = [each for each in merged([[*with_tools.values()], [*without.values()]]) if each.signal == "tool_call"]

    assert (tools.runs, tools.requests, tools.lacks) == (1, 3, "no tools are offered")
