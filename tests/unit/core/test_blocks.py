"""Blocks of latencies: fine while a build is young, wide with age, and never another one at a later look."""

from __future__ import annotations

import itertools

from monitor.blocks import WIDE, YOUNG, Blocks

MINUTE = 60_000


def test_every_minute_is_one_for_three_hours_and_ten_are_one_then() -> None:
    blocks = Blocks(MINUTE, [1_003])
    begins = sorted({blocks.begin(bucket) for bucket in range(1_003, 1_300)})
    widths = [after - before for before, after in itertools.pairwise(begins)]
    assert widths[:187] == [1] * 187, "up to where a wide one begins"
    assert set(widths[187:]) == {10}
    assert begins[187] % 10 == 0
    assert (WIDE, YOUNG) == (10 * MINUTE, 180 * MINUTE)


def test_a_build_that_comes_later_changes_no_block_before_it() -> None:
    early, late = Blocks(MINUTE, [0]), Blocks(MINUTE, [0, 507])
    assert [early.begin(b) for b in range(507)] == [late.begin(b) for b in range(507)]
    assert (early.begin(508), late.begin(508)) == (500, 508)
    begins = [late.begin(b) for b in range(1_000)]
    assert begins == sorted(begins), "a block is over when a later one begins"


def test_a_bucket_of_ten_minutes_or_more_is_a_block_at_any_age() -> None:
    assert [Blocks(15 * MINUTE, [0]).begin(bucket) for bucket in range(60)] == list(range(60))
