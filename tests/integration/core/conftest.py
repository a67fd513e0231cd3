"""A followed folder, for the tests of `--tail`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.following import World


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """An empty folder that is followed, and a clock that stands until it is moved."""
    made = World(tmp_path)
    yield made
    made.close()
