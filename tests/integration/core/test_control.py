"""A slower canary, from its log to a page: latencies are read in blocks, and judged beside the control."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy.engine import Engine

from monitor.model import Verdict
from monitor.plan import Plan
from monitor.watch import Watch
from services.evaluate import Evaluator
from services.store.facts import FactReader
from tests.support.events import SHOP, START, line, plan, request
from tests.support.stores import ListSource, clock, store, take

MINUTES, PACE = 120, 8


def watched() -> Plan:
    return plan(bot=False, slices=[], variants=SHOP["variants"] | {"shop-int4": {"control": "shop-int8"}})


def log(slower: float) -> Iterator[bytes]:
    """Eight requests a minute for each of two builds; one takes this much longer."""
    rng = random.Random(7)
    for minute in range(MINUTES):
        for n in range(PACE):
            for variant, factor in (("shop-int4", slower), ("shop-int8", 1.0)):
                total = 800 * factor * rng.lognormvariate(0, 0.4)
                name, time = f"{variant}-{minute}-{n}", START + 60 * minute + 3 * n
                yield line(request(name, time, variant=variant, timings={"total": total}, load={"running": 2 + n % 4}))


@pytest.fixture
def slow(tmp_path: Path) -> Engine:
    """A store that has taken the log of a build three times as slow as its control."""
    return taken(tmp_path, 3.0)


def taken(folder: Path, slower: float) -> Engine:
    engine = store(folder)
    take(engine, watched(), ListSource(list(log(slower))))
    return engine


def looked(evaluator: Evaluator) -> Verdict:
    return next(verdict for verdict in evaluator.look(everything=True) if verdict.variant == "shop-int4")


def test_a_slower_build_pages_and_going_on_from_an_earlier_look_changes_nothing(slow: Engine) -> None:
    evaluator = Evaluator(slow, watched(), clock)
    evaluator.look(as_of=START + 3_000, everything=True)
    verdict = looked(evaluator)
    found = [(f.kind, f.signal, f.direction, f.against) for f in verdict.findings]
    assert found == [("change", "total", "longer", "control")]
    assert evaluator._memory.controls
    evaluator._memory.controls.clear()
    (before,) = [one for one in verdict.findings if one.against == "control"]
    with slow.begin() as connection:
        connection.exec_driver_sql("DELETE FROM look")
    again = looked(Evaluator(slow, watched(), clock))
    assert again.findings == (before,)


def test_a_build_as_fast_as_its_control_is_no_finding(tmp_path: Path) -> None:
    assert looked(Evaluator(taken(tmp_path, 1.0), watched(), clock)).findings == ()


def test_a_block_of_latencies_that_is_not_over_is_not_read(slow: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    Evaluator(slow, watched(), clock).look(everything=True)
    watch = Watch("shop", watched())
    monkeypatch.setattr("monitor.blocks.YOUNG", 1_500_000)
    first = int(START * 1000) // watch.width
    youth = -(-(first + 50) // 20) * 20
    with slow.connect() as connection:
        for cut in (5, 30, youth - first, youth - first + 19, youth - first + 20, youth - first + 45):
            facts = FactReader(watch).variants(connection, first + cut)[0]
            last = int(facts.units["all", "total"].buckets.max())
            wide = last >= youth
            assert last + (20 if wide else 1) <= first + cut < last + (40 if wide else 23)
