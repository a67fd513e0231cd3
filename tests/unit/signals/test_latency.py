"""Latency: exact bins within strata of load and prompt length."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.model import Event, Load, Output, Timings
from monitor.signals.columns import Columns
from monitor.signals.latency import BINS, EDGES, NO_TIMING, SIGNALS, Bin, Latency, bin_of

LATENCY = Latency()


def event(first: float | None = None, total: float | None = None, running: int | None = None, **fields: Any) -> Event:
    timings = fields.pop("timings", Timings(first_token=first, total=total))
    load = fields.pop("load", Load(running=running))
    return Event(id="r", deployment="d", variant="v", time=0.0, timings=timings, load=load, **fields)


def names(event: Event) -> tuple[str, ...]:
    row = LATENCY.judge(event, event.output)
    return tuple(d.cells[cell] for d, cell in zip(LATENCY.definitions, row, strict=True))


@pytest.mark.parametrize("signal", SIGNALS)
def test_edges_are_whole_microseconds_spaced_evenly_on_a_log_scale(signal: str) -> None:
    edges = np.array(EDGES[signal])
    assert len(edges) == BINS - 1
    assert edges[-1] == edges[0] * 600_000
    ratios = edges[1:] / edges[:-1]
    assert ratios.min() > 1.31
    assert ratios.max() < 1.36


@pytest.mark.parametrize("k", range(BINS - 1))
def test_a_duration_on_an_edge_belongs_to_the_upper_bin(k: int) -> None:
    edge = EDGES["total"][k]
    on, below = event(total=edge / 1_000), event(total=(edge - 1) / 1_000)
    assert names(on)[2] == f"l0p0:{k + 1}"
    assert names(below)[2] == f"l0p0:{k}"


@pytest.mark.parametrize(
    ("running", "prompt", "stratum"),
    [
        (None, None, "l0p0"),
        (0, 0, "l0p0"),
        (3, 511, "l0p0"),
        (4, 512, "l1p1"),
        (15, 4_095, "l1p1"),
        (16, 4_096, "l2p2"),
        (10**400, 10**400, "l2p2"),
        (-1, -1, "l0p0"),
    ],
)
def test_strata_start_at_their_lower_bounds(running: int | None, prompt: int | None, stratum: str) -> None:
    judged = event(1.0, 2.0, running, prompt_tokens=prompt)
    assert names(judged)[0].split(":")[0] == stratum
    assert tuple(LATENCY.judge_all(Columns([judged]))[0]) == LATENCY.judge(judged, None)


@pytest.mark.parametrize(
    ("judged", "missing", "reason"),
    [
        (event(timings=None), {0, 1, 2}, "nothing was timed"),
        (event(5.0, 9.0), {1}, "the number of tokens is unknown"),
        (event(5.0, 9.0, completion_tokens=1), {1}, "there is no further token"),
        (event(5.0, 9.0, completion_tokens=3), set(), "all known"),
        (event(9.0, 5.0, completion_tokens=3), {1}, "a total before the first token"),
        (event(None, 9.0, completion_tokens=3), {0, 1}, "not streamed"),
        (event(-1.0, float("nan"), completion_tokens=3), {0, 1, 2}, "no durations"),
        (event(1.0, float("inf"), completion_tokens=3), {1, 2}, "endless"),
        (event(1.0, 1e308, completion_tokens=3), set(), "beyond the last edge"),
        (event(1.0, 2.0, completion_tokens=10**400), {1}, "no such number of tokens"),
        (event(1.0, 2.0, completion_tokens=3, load=None), set(), "load unknown"),
    ],
)
def test_what_is_missing_is_counted_as_such(judged: Event, missing: set[int], reason: str) -> None:
    row = LATENCY.judge(judged, None)
    assert {k for k, cell in enumerate(row) if cell == NO_TIMING} == missing, reason
    assert tuple(LATENCY.judge_all(Columns([judged]))[0]) == row


def test_time_per_token_leaves_the_first_token_out() -> None:
    row = LATENCY.judge(event(100.0, 1_100.0, completion_tokens=101), None)
    found = bin_of("per_token", row[1])
    assert found is not None
    assert found.lower is not None
    assert found.upper is not None
    assert found.lower <= 10_000 < found.upper


def test_timings_belong_to_the_logged_output_only() -> None:
    judged = event(5.0, 9.0, output=Output(text="a"), reference=Output(text="b"))
    assert LATENCY.judge(judged, judged.reference) == (NO_TIMING,) * 3


def test_a_cell_can_be_read_back() -> None:
    edges = EDGES["total"]
    assert bin_of("total", 0) == Bin(0, 0, None, edges[0])
    assert bin_of("total", BINS * 5 + 7) == Bin(1, 2, edges[6], edges[7])
    assert bin_of("total", NO_TIMING - 1) == Bin(2, 2, edges[-1], None)
    assert bin_of("total", NO_TIMING) is None
    for definition in LATENCY.definitions:
        assert len(definition.cells) == NO_TIMING + 1
        assert definition.cells[NO_TIMING] == "no_timing"
        assert definition.cells[BINS * 5 + 7] == "l1p2:7"


TIMES = st.none() | st.floats() | st.sampled_from([edge / 1_000 for edge in EDGES["total"]])
COUNTS = st.none() | st.integers(-5, 5_000) | st.integers()
EVENTS = st.builds(
    event,
    TIMES,
    TIMES,
    COUNTS,
    prompt_tokens=COUNTS,
    completion_tokens=COUNTS,
) | st.just(event(timings=None, load=None))


@settings(max_examples=200, deadline=None)
@given(st.lists(EVENTS, max_size=6), st.integers(0, 6))
def test_batches_equal_single_events_however_they_are_split(events: list[Event], cut: int) -> None:
    rows = np.array([LATENCY.judge(e, e.output) for e in events], dtype=np.int16).reshape(-1, 3)
    assert np.array_equal(LATENCY.judge_all(Columns(events)), rows)
    halves = [LATENCY.judge_all(Columns(events[:cut])), LATENCY.judge_all(Columns(events[cut:]))]
    assert np.array_equal(np.concatenate(halves), rows)
