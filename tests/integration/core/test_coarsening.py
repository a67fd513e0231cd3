"""Old counts are merged and forgotten by jobs; sums stay, and evidence reads what it read before."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from sqlalchemy.engine import Engine

from monitor.facts import unpack_counts
from monitor.model import Population
from services.store import tables as t
from services.store.coarsening import coarsen
from services.store.queries import served
from services.store.retention import forget_builds
from tests.support.events import plan, random_log
from tests.support.stores import ListSource, counted, look, rows_of, seal_all, sealed_facts, store, take

pytestmark = pytest.mark.usefixtures("either_database")

PLAN = plan()
WIDE = 10


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    made = store(tmp_path)
    take(made, PLAN, ListSource(random_log(6, 300)))
    seal_all(made, PLAN)
    return made


def buckets(engine: Engine) -> list[int]:
    return sorted({row.bucket for row in rows_of(engine, t.fact) if row.deployment == "shop"})


def sums(engine: Engine) -> Counter[tuple[str, ...]]:
    """All counts of a cell together, by everything but its bucket."""
    found: Counter[tuple[str, ...]] = Counter()
    for row in rows_of(engine, t.fact):
        key = tuple(str(value) for name, value in row._asdict().items() if name not in ("bucket", "counts"))
        found.update({(*key, str(cell)): int(n) for cell, n in enumerate(unpack_counts(row.counts).tolist()) if n})
    return found


def of_evidence(engine: Engine) -> dict[object, bytes]:
    return {key: counts for key, counts in sealed_facts(engine).items() if key[5] != str(Population.ALL)}


def test_sums_and_evidence_stay_and_rows_go(engine: Engine) -> None:
    before, kept, rows = sums(engine), of_evidence(engine), len(sealed_facts(engine))
    gone = coarsen(engine, "shop", WIDE, buckets(engine)[-1] + WIDE)
    assert gone > rows / 10
    assert len(sealed_facts(engine)) == rows - gone
    assert sums(engine) == before
    assert of_evidence(engine) == kept
    whole = [row.bucket for row in rows_of(engine, t.fact) if (row.deployment, row.population) == ("shop", "all")]
    assert {bucket % WIDE for bucket in whole} == {0}
    assert counted(engine, "traffic", population=Population.ALL).total() > 100


def test_again_changes_nothing(engine: Engine) -> None:
    end = buckets(engine)[-1] + WIDE
    coarsen(engine, "shop", WIDE, end)
    before = sealed_facts(engine)
    assert coarsen(engine, "shop", WIDE, end) == 0
    assert sealed_facts(engine) == before


def test_what_is_not_old_stays_fine(engine: Engine) -> None:
    middle = buckets(engine)[len(buckets(engine)) // 2] // WIDE * WIDE
    newer = {key: counts for key, counts in sealed_facts(engine).items() if key[0] == "bot" or key[7] >= middle}
    assert coarsen(engine, "shop", WIDE, middle) > 0
    assert newer.items() <= sealed_facts(engine).items()


def test_only_builds_out_of_service_are_forgotten(engine: Engine) -> None:
    with engine.connect() as connection:
        last = {name: last for name, (_, last) in served(connection, "shop").items()}
    newest = max(last.values())
    assert forget_builds(engine, "shop", min(last.values())) == 0, "all of them serve"
    gone = {name for name, bucket in last.items() if bucket < newest}
    assert (forget_builds(engine, "shop", newest) > 0) is bool(gone)
    assert {key[1] for key in sealed_facts(engine) if key[0] == "shop"} == last.keys() - gone


def test_a_verdict_after_it_is_the_verdict_before(engine: Engine, tmp_path: Path) -> None:
    other = store(tmp_path, "other")
    take(other, PLAN, ListSource(random_log(6, 300)))
    seal_all(other, PLAN)
    coarsen(engine, "shop", WIDE, buckets(engine)[-1] + WIDE)
    assert look(engine, PLAN, "shop-int4") == look(other, PLAN, "shop-int4")
