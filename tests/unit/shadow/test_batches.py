"""Batches hold every request once, keep to their limits, and pad little."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from shadow.backends.batches import by_area, by_length

lengths = st.lists(st.tuples(st.integers(1, 50), st.integers(1, 50)), max_size=40)


@given(lengths, st.integers(1, 9))
def test_by_length(pairs: list[tuple[int, int]], rows: int) -> None:
    sizes = [prompt for prompt, _ in pairs]
    parts = list(by_length(sizes, range(len(sizes)), rows))
    assert sorted(n for part in parts for n in part) == list(range(len(sizes)))
    assert all(1 <= len(part) <= rows for part in parts)
    ordered = [sizes[n] for part in parts for n in part]
    assert ordered == sorted(ordered)


@given(lengths, st.integers(1, 9), st.integers(1, 400))
def test_by_area(pairs: list[tuple[int, int]], rows: int, area: int) -> None:
    prompts, answers = [p for p, _ in pairs], [a for _, a in pairs]
    parts = list(by_area(prompts, answers, range(len(pairs)), rows, area))
    assert sorted(n for part in parts for n in part) == list(range(len(pairs)))
    for part in parts:
        span = max(prompts[n] + answers[n] for n in part) - min(prompts[n] for n in part)
        assert len(part) == 1 or (len(part) <= rows and len(part) * span <= area)
