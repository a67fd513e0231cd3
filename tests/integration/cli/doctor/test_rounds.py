"""A cut that the rounds do not find is followed by a larger one."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from monitor.model import Decision
from monitor.watch import Watch
from services.doctor import rounds
from tests.support.events import plan


@pytest.mark.parametrize(("found_at", "tried", "every"), [(20, [20], 20), (5, [20, 10, 5], 5), (0, [20, 10, 5, 2], 2)])
def test_larger_cuts_are_tried_until_one_is_found(
    found_at: int, tried: list[int], every: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    played: list[int] = []

    def play(store: Any, watch: Any, hands: Any, pairs: Any, every: int) -> tuple[Any, int]:
        played.append(every)
        decision = Decision.FAIL if every == found_at else Decision.HOLD
        return {rounds.CUT: SimpleNamespace(decision=decision)}, 10

    monkeypatch.setattr(rounds, "_play", play)
    _, _, last = rounds._found_first(Watch("shop", plan(bot=False), []), [], rounds.EVERY)
    assert (played, last) == (tried, every)
