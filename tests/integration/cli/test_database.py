"""`quantwatch db`: the schema, and the jobs that keep a store small."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.support.events import SHOP, random_log

WEEK = ("--plan", "plan.yaml")
DB = ("--db", "sqlite:///x.db")


@pytest.fixture
def filled(folder: Path, quantwatch: Callable[..., Any]) -> None:
    """A store with sealed facts, all of them years old."""
    (folder / "plan.yaml").write_bytes(msgspec.json.encode({"deployments": {"shop": SHOP}}))
    (folder / "log.jsonl").write_bytes(b"\n".join(random_log(6, 200)) + b"\n")
    assert quantwatch("ingest", "log.jsonl", *WEEK, *DB).code == 0
    assert quantwatch("facts", "--seal", *WEEK, *DB).code == 0


def rows(quantwatch: Callable[..., Any], *where: str) -> list[Any]:
    return list(quantwatch("facts", "--json", *where, *DB).json)


def test_upgrading_twice_is_no_harm(quantwatch: Callable[..., Any], folder: Path) -> None:
    for _ in range(2):
        ran = quantwatch("db", "upgrade", *DB)
        assert (ran.code, ran.out, ran.err) == (0, "", "the database is at the newest version\n")


@pytest.mark.usefixtures("filled")
def test_tidying_merges_what_is_shown_and_forgets_builds_out_of_service(quantwatch: Callable[..., Any]) -> None:
    before = rows(quantwatch)
    units = rows(quantwatch, "--population", "unit")
    merged = quantwatch("db", "tidy", "--coarsen-after", "30d", "--to", "10m", *WEEK, *DB)
    assert merged.out.startswith("shop: merged ")
    after = rows(quantwatch)
    assert len(after) < len(before)
    assert [row for row in after if row["population"] == "unit"] == units
    gone = quantwatch("db", "tidy", "--forget-after", "400d", *WEEK, *DB)
    assert gone.out == f"shop: forgot {len(after):,} rows of builds out of service\n"
    assert rows(quantwatch) == []


def test_an_age_that_is_none_is_refused_in_one_line(quantwatch: Callable[..., Any], folder: Path) -> None:
    (folder / "plan.yaml").write_bytes(msgspec.json.encode({"deployments": {"shop": SHOP}}))
    ran = quantwatch("db", "tidy", "--coarsen-after", "soon", *WEEK, *DB)
    assert ran.refusal.startswith("--coarsen-after: ")


def test_a_server_that_is_not_there_is_one_line(quantwatch: Callable[..., Any]) -> None:
    ran = quantwatch("db", "upgrade", "--db", "postgresql://me:secret@127.0.0.1:1/x")
    assert "cannot open the database" in ran.refusal
    assert "secret" not in ran.err
