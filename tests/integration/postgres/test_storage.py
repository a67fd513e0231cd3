"""How PostgreSQL stores what every commit writes."""

from __future__ import annotations

import psycopg
import pytest

from tests.support import postgres

pytestmark = pytest.mark.postgres


@pytest.mark.parametrize("table", ["tail", "seen"])
def test_packed_bodies_are_not_compressed_again(table: str) -> None:
    """Compressing the tails of 10,000 events takes the server nearly as long as the worker takes for the events."""
    with postgres.database() as url, psycopg.connect(url) as connection:
        found = connection.execute(
            "SELECT attstorage::text FROM pg_attribute WHERE attrelid = %s::regclass AND attname = 'body'", (table,)
        ).fetchone()

    assert found == ("e",)
