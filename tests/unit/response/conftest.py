"""Findings and checks with everything filled in but what a test is about."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from monitor.model import Check, Decision, Finding, Interval

HARM = Interval(0.12, 0.08, 0.17)


def make_finding(**changes: Any) -> Finding:
    given: dict[str, Any] = {
        "kind": "fail",
        "deployment": "chat",
        "variant": "int4",
        "slice": "json",
        "signal": "schema",
        "direction": "worse",
        "harm": HARM,
        "since": 1_000.0,
        "log_evidence": 9.0,
        "threshold": 7.0,
        "units": 400,
        "blame": None,
        "sentence": "schema got worse by 12.0 points on json.",
    }
    return Finding(**{**given, **changes})


def make_check(slice: str, signal: str, decision: Decision) -> Check:
    return Check(
        deployment="chat",
        variant="int4",
        slice=slice,
        signal=signal,
        direction="worse",
        decision=decision,
        pairs=400,
        excluded=0,
        harm=HARM,
        latest=HARM,
        tolerance=0.02,
        log_evidence=1.0,
        threshold=7.0,
        log_all_clear=1.0,
        clear_threshold=3.0,
        since=None,
        needs_pairs=None,
        needs_seconds=None,
        reason="",
    )


@pytest.fixture
def finding() -> Callable[..., Finding]:
    return make_finding


@pytest.fixture
def check() -> Callable[[str, str, Decision], Check]:
    return make_check
