"""What is not seen together because of its keys counts as not observed, and the rest as always."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from monitor.plan import Plan
from tests.support.events import SHOP, START, feedback, lines, plan, request
from tests.support.stores import ListSource, counted, quarantined, seal_all, store, take


def keyed(by: str) -> Plan:
    shop: dict[str, Any] = SHOP | {"unit_turns": [1.0], "joins": {"share": 1.0, "horizon": "2m"}}
    return msgspec.convert({"deployments": {"shop": shop}, "input": {"keyed_by": by}}, Plan)


LOG = lines(
    request("r1", START, conversation="c", turn=1),
    request("r2", START + 1, conversation="c", turn=2, messages=[{"role": "user", "content": "No, that is wrong."}]),
    feedback("f1", "r1", START + 2),
    request("r3", START + 3),
)


@pytest.mark.parametrize(
    ("by", "corrections", "joined"),
    [
        ("conversation", {"corrected": 1, "served": 1, "not_observed": 1}, 1),
        ("user", {"corrected": 1, "served": 1, "not_observed": 1}, 1),
        ("request", {"corrected": 0, "served": 0, "not_observed": 2}, 1),
        ("none", {"corrected": 0, "served": 0, "not_observed": 2}, 0),
    ],
)
def test_signals_across_requests_are_not_observed_where_the_keys_do_not_bring_them_together(
    tmp_path: Path, by: str, corrections: dict[str, int], joined: int
) -> None:
    engine, watched = store(tmp_path), keyed(by)
    take(engine, watched, ListSource(LOG))
    seal_all(engine, watched)

    found = counted(engine, "correction")
    assert {name: found[name] for name in corrections} == corrections
    assert counted(engine, "traffic")["requests"] == 2  # the first turn, and the request without a conversation
    assert counted(engine, "feedback")["down"] == joined
    assert len(quarantined(engine)) == 1 - joined


def test_a_plan_that_does_not_say_what_its_topics_are_keyed_by_keeps_its_name() -> None:
    mapped = msgspec.convert({"input": {"mapping": {"deployment": {"constant": "shop"}}}}, Plan)
    said = msgspec.structs.replace(mapped, input=msgspec.structs.replace(mapped.input, keyed_by="conversation"))
    other = msgspec.structs.replace(mapped, input=msgspec.structs.replace(mapped.input, keyed_by="none"))

    assert mapped.digest == said.digest != other.digest
    assert plan().digest != keyed("none").digest
