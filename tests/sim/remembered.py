"""Numbers that many runs ask for alike: a check's evidence is a pure function of its counts, and is computed once."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import monitor.gate


@contextmanager
def remembered() -> Iterator[None]:
    """Inside the block `assess_pairs` of equal arguments is the value that it was the first time."""
    computed, known = monitor.gate.assess_pairs, dict[bytes, Any]()
    monitor.gate.assess_pairs = _once(computed, known)  # type: ignore[assignment]
    try:
        yield
    finally:
        monitor.gate.assess_pairs = computed


def _once(computed: Callable[..., Any], known: dict[bytes, Any]) -> Callable[..., Any]:
    def ask(*given: Any, **named: Any) -> Any:
        key = pickle.dumps((given, sorted(named.items())))
        if key not in known:
            known[key] = computed(*given, **named)
        return known[key]

    return ask
