"""Laws 3 and 4: folding shards and merging equals folding all; merging has no order; packing has an inverse."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.errors import IntegrityError
from monitor.facts import Counts, Layout, fold, pack, pack_counts, sealed_rows, unpack_counts
from monitor.model import Definition, Population
from monitor.signals.family import sealed
from monitor.state import State
from monitor.step import step
from monitor.watch import Group
from tests.laws.folding import folded
from tests.laws.test_boundaries import run_of
from tests.support.events import plan, random_log

LAYOUT = Layout(
    (
        sealed(Definition("a", "made", ("x", "y", "z"))),
        sealed(Definition("b", "made", ("x", "y"))),
    ),
    (("all", "0"), ("one", "1"), ("two", "2")),
)
CELLS = 5
MASKS = [np.packbits(np.array([1, one, two], dtype=bool)).tobytes() for one in (0, 1) for two in (0, 1)]
Row = tuple[str, int, bytes]
Deltas = list[bytes]


@st.composite
def delta(draw: st.DrawFn) -> bytes:
    keys = st.tuples(st.sampled_from(["v", "w", "x"]), st.integers(0, 1), st.sampled_from(MASKS))
    rows = draw(st.lists(keys, min_size=1, max_size=4, unique=True))
    numbers = st.integers(0, 2**40)
    dense = [draw(st.lists(numbers, min_size=CELLS, max_size=CELLS)) for _ in rows]
    return pack(rows, np.array(dense, dtype=np.int64))


def merged(*shards: dict[tuple[str, Population], Counts]) -> dict[tuple[str, Population], Counts]:
    total: dict[tuple[str, Population], Counts] = {}
    for shard in shards:
        for key, counts in shard.items():
            total[key] = total.get(key, np.zeros_like(counts)) + counts
    return total


def same(a: dict[tuple[str, Population], Counts], b: dict[tuple[str, Population], Counts]) -> bool:
    return a.keys() == b.keys() and all((a[key] == b[key]).all() for key in a)


@settings(max_examples=30, deadline=None)
@given(st.lists(delta(), max_size=8), st.randoms(use_true_random=False), st.integers(0, 8))
def test_shards_folded_and_merged_are_the_whole_folded_in_any_order(deltas: Deltas, random, cut: int) -> None:  # type: ignore[no-untyped-def]
    mixed = list(deltas)
    random.shuffle(mixed)
    whole = fold(LAYOUT, deltas)
    assert same(fold(LAYOUT, mixed), whole)
    assert same(merged(fold(LAYOUT, mixed[:cut]), fold(LAYOUT, mixed[cut:])), whole)


@settings(max_examples=30, deadline=None)
@given(delta(), delta(), delta())
def test_merging_is_commutative_and_associative_and_has_an_identity(a: bytes, b: bytes, c: bytes) -> None:
    x, y, z = (fold(LAYOUT, [body]) for body in (a, b, c))
    assert same(merged(x, y), merged(y, x))
    assert same(merged(merged(x, y), z), merged(x, merged(y, z)))
    assert same(merged(x, fold(LAYOUT, [])), x)


@settings(max_examples=20, deadline=None)
@given(st.randoms(use_true_random=False))
def test_equal_counts_are_equal_bytes_whatever_order_the_rows_came_in(random) -> None:  # type: ignore[no-untyped-def]
    rows: list[Row] = [("w", 0, MASKS[0]), ("v", 1, MASKS[1]), ("v", 0, MASKS[3])]
    dense = np.arange(len(rows) * CELLS, dtype=np.int64).reshape(len(rows), CELLS)
    order = list(range(len(rows)))
    random.shuffle(order)
    assert pack([rows[i] for i in order], dense[order]) == pack(rows, dense)


@given(st.lists(st.integers(0, 2**62), min_size=1, max_size=40))
def test_unpacking_is_the_inverse_of_packing(numbers: list[int]) -> None:
    counts = np.array(numbers, dtype=np.int64)
    assert (unpack_counts(pack_counts(counts)) == counts).all()


def test_a_negative_count_is_no_fact() -> None:
    with pytest.raises(IntegrityError):
        pack_counts(np.array([1, -1]))


@given(st.lists(st.integers(0, 9), min_size=1, max_size=20), st.integers(1, 11))
def test_a_row_that_was_cut_is_refused(numbers: list[int], cut: int) -> None:
    body = pack_counts(np.array([*numbers, 1], dtype=np.int64))
    with pytest.raises(IntegrityError):
        unpack_counts(body[:-cut])


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"", "no length at all"),
        (b"\x02\0\0", "a length that was cut"),
        (np.array([2, 5], "<u4").tobytes() + np.array([1], "<i8").tobytes(), "a cell outside the row"),
        (np.array([2, 1], "<u4").tobytes() + np.array([-1], "<i8").tobytes(), "a negative count"),
    ],
)
def test_a_row_that_contradicts_itself_is_refused(body: bytes, why: str) -> None:
    with pytest.raises(IntegrityError):
        unpack_counts(body)


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 1000), st.randoms(use_true_random=False))
def test_the_deltas_of_a_log_add_up_in_any_order(seed: int, random) -> None:  # type: ignore[no-untyped-def]
    state, log = State(plan()), random_log(seed, 60)
    batches = [step(state, run_of(log, start, start + 10)) for start in range(0, 60, 10)]
    mixed = list(batches)
    random.shuffle(mixed)
    assert folded(mixed) == folded(batches)


def test_every_sealed_row_holds_something_and_every_slice_counts_for_itself() -> None:
    body = pack([("v", 0, MASKS[0]), ("v", 0, MASKS[3])], np.array([[1, 0, 0, 0, 0], [0, 2, 0, 0, 1]], dtype=np.int64))
    rows = {(name, signal): c.tolist() for _, name, signal, _, _, c in sealed_rows(LAYOUT, fold(LAYOUT, [body]))}
    assert rows == {
        ("all", "a"): [1, 2, 0],
        ("one", "a"): [0, 2, 0],
        ("two", "a"): [0, 2, 0],
        ("all", "b"): [0, 1],
        ("one", "b"): [0, 1],
        ("two", "b"): [0, 1],
    }


def test_layouts_of_one_digest_are_interchangeable_and_a_changed_definition_has_another() -> None:
    assert Layout(LAYOUT.definitions, LAYOUT.slices).digest == LAYOUT.digest
    changed = sealed(Definition("a", "made", ("x", "y", "z"), version=2))
    assert Layout((changed, LAYOUT.definitions[1]), LAYOUT.slices).digest != LAYOUT.digest
    assert Layout(LAYOUT.definitions, (*LAYOUT.slices[:2], ("two", "3"))).digest != LAYOUT.digest


def test_every_group_of_a_plan_has_a_layout_of_its_own() -> None:
    watched = State(plan()).deployment("shop")
    assert watched is not None
    layouts = watched.watch.layouts
    assert len({layout.digest for layout in layouts.values()}) == len(Group)
