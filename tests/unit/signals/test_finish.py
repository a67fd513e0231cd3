"""Why answers end: every reason has its cell, alone and in a batch."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

from monitor.model import Event, Output
from monitor.signals.columns import Columns
from monitor.signals.finish import Finish
from tests.support.events import START, request

FINISH = Finish()
(DEFINITION,) = FINISH.definitions


def event(output: Output | None) -> Event:
    asked = msgspec.convert({k: v for k, v in request("r", START).items() if k not in ("kind", "output")}, Event)
    return msgspec.structs.replace(asked, output=output)


@pytest.mark.parametrize(
    ("reason", "cell"),
    [
        ("stop", "stop"),
        ("length", "length"),
        ("tool_calls", "tool_calls"),
        ("function_call", "tool_calls"),
        ("content_filter", "content_filter"),
        ("abort", "other"),
        ("", "other"),
        (None, "not_observed"),
    ],
)
def test_every_reason_has_its_cell(reason: str | None, cell: str) -> None:
    one = event(Output("words", finish_reason=reason))
    assert DEFINITION.cells[FINISH.judge(one, one.output)[0]] == cell
    assert FINISH.judge_all(Columns([one])).tolist() == [list(FINISH.judge(one, one.output))]


def test_no_output_has_no_reason_and_a_filtered_one_without_text_has_one() -> None:
    events = [event(None), event(Output(finish_reason="content_filter"))]
    assert [DEFINITION.cells[cell] for cell in FINISH.judge_all(Columns(events))[:, 0]] == [
        "no_content",
        "content_filter",
    ]
    assert np.array_equal(FINISH.judge_all(Columns([])), np.empty((0, 1)))


def test_no_reason_is_harm_by_itself() -> None:
    assert (DEFINITION.yes, DEFINITION.no) == ((), ())
