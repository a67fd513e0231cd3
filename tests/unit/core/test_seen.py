"""The table of ids grows for what comes, however much comes at once."""

from __future__ import annotations

import numpy as np
import pytest

from monitor.seen import Seen, pack

HOUR = 3_600_000
SIZES = (1, 1_000, 1_025, 1_200, 8_192, 100_000)


def ids(count: int, first: int = 1) -> np.ndarray:
    return np.arange(first, first + count, dtype=np.uint64) * np.uint64(2_654_435_761)


@pytest.mark.timeout(60)
@pytest.mark.parametrize("count", SIZES)
def test_a_commit_of_any_size_is_put_back_and_its_ids_are_known(count: int) -> None:
    seen = Seen()
    seen.restore(HOUR, pack(ids(count), np.full(count, HOUR, dtype=np.int64)))
    assert len(seen) == count
    fresh, _ = seen.take(ids(count + 1), *[np.zeros(count + 1, dtype=np.int64)] * 2, 0, HOUR)
    assert np.flatnonzero(fresh).tolist() == [count]


@pytest.mark.timeout(60)
@pytest.mark.parametrize("count", SIZES)
def test_a_run_of_any_size_is_taken_into_a_table_that_is_empty_or_was_emptied(count: int) -> None:
    seen = Seen()
    for first, now in ((1, 0), (10**6, 3 * HOUR)):
        times = np.full(count, now, dtype=np.int64)
        fresh, until = seen.take(ids(count, first), times, times, now, HOUR)
        seen.add_pack(int(until.max()), count)
        assert fresh.all()
        seen.expire(now + 2 * HOUR)
        assert len(seen) == 0
