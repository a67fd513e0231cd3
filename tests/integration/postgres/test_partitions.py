"""On PostgreSQL facts and deltas lie by deployment and month; what fits nowhere lies in a default, and counts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from services.store import tables as t
from services.store.partitions import drop_empty, prepare
from services.store.retention import forget_builds
from tests.support.events import START, lines, plan, random_log, request
from tests.support.stores import ListSource, kept_in, rows_of, seal_all, sealed_facts, store, take

pytestmark = pytest.mark.postgres

PLAN = plan()
WIDTHS = {"shop": 30_000, "bot": 60_000}
NOW = int(START * 1000)
MONTH = datetime.fromtimestamp(START, UTC).strftime("%Y_%m")


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    with kept_in("postgresql"):
        yield store(tmp_path)


def places(engine: Engine, table: str) -> Counter[str]:
    """How many rows lie in each partition."""
    where = sa.text(f"SELECT tableoid::regclass::text, count(*) FROM {table} GROUP BY 1")
    with engine.connect() as connection:
        return Counter({str(name): int(number) for name, number in connection.execute(where)})


def test_rows_lie_in_their_deployment_s_month(engine: Engine) -> None:
    assert len(prepare(engine, WIDTHS, NOW)) == 16
    take(engine, PLAN, ListSource(random_log(4, 100)))
    seal_all(engine, PLAN)
    found = places(engine, "fact")
    assert found.total() > 500
    assert len(found) == 2
    assert all(name.endswith(MONTH) for name in found)
    assert prepare(engine, WIDTHS, NOW) == [], "what is there is left alone"


def test_rows_of_before_move_to_their_place_and_none_is_lost(engine: Engine) -> None:
    take(engine, PLAN, ListSource(random_log(4, 100)))
    seal_all(engine, PLAN)
    take(engine, PLAN, ListSource(lines(request("later", START + 9_000)), drains=False, name="open"), finish=False)
    before, open_facts = sealed_facts(engine), len(rows_of(engine, t.delta))
    assert set(places(engine, "fact")) == {"fact_others"}
    prepare(engine, WIDTHS, NOW)
    assert "fact_others" not in places(engine, "fact")
    assert sealed_facts(engine) == before
    assert len(rows_of(engine, t.delta)) == open_facts > 0


def test_a_time_and_a_deployment_without_a_place_are_taken_all_the_same(engine: Engine) -> None:
    years_on = NOW + 5 * 365 * 86_400_000
    prepare(engine, {"shop": 30_000}, years_on)
    take(engine, PLAN, ListSource(random_log(4, 100)))
    seal_all(engine, PLAN)
    found = places(engine, "fact")
    assert sorted(name.endswith("_others") for name in found) == [True, True]
    assert "fact_others" in found
    assert found.total() == len(sealed_facts(engine))


def test_a_deployment_may_be_called_anything(engine: Engine) -> None:
    name = 'it\'s 100 % "ours"; DROP TABLE fact'
    prepare(engine, {name: 1_000}, NOW)
    with engine.begin() as connection:
        row = {"deployment": name, "grp": "live", "bucket": NOW // 1000, "source": "s", "run_end": 1}
        connection.execute(sa.insert(t.delta), [row | {"layout": "l", "body": b"b"}])
    (place,) = places(engine, "delta")
    assert place.endswith(MONTH)


def test_months_that_are_over_and_empty_are_dropped(engine: Engine) -> None:
    prepare(engine, WIDTHS, NOW)
    take(engine, PLAN, ListSource(random_log(4, 100)))
    seal_all(engine, PLAN)
    later = NOW + 40 * 86_400_000
    assert all(name.startswith("delta_") for name in drop_empty(engine, WIDTHS, later)), "the facts are there yet"
    assert forget_builds(engine, "shop", later // 30_000) > 100
    assert [name.endswith(MONTH) for name in drop_empty(engine, WIDTHS, later)] == [True]
    assert drop_empty(engine, WIDTHS, later) == []
    assert {key[0] for key in sealed_facts(engine)} == {"bot"}


def test_evaluators_that_prepare_at_once_leave_each_partition_once_and_none_fails(
    engine: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    take(engine, PLAN, ListSource(random_log(4, 60)))
    with ThreadPoolExecutor(4) as pool:
        made = [name for each in pool.map(lambda _: prepare(engine, WIDTHS, NOW), range(4)) for name in each]
    assert len(made) == len(set(made)) == 16
    assert caplog.messages == []
    prepare(engine, WIDTHS, NOW)
    assert "delta_others" not in places(engine, "delta")
