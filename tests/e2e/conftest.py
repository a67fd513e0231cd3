"""One told story for all end-to-end tests: int8 serves, int4 is deployed, and int8 comes back."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.support.story import BAD, GOOD, Story


@pytest.fixture(scope="session")
def story(tmp_path_factory: pytest.TempPathFactory) -> Story:
    """The story up to the restored build's verdict, on a clock that ends about now."""
    folder: Path = tmp_path_factory.mktemp("story")
    told = Story(folder, now=time.time() - 390)
    told.serve(GOOD, 1440)
    told.pause(40)
    told.serve(BAD, 640)
    told.pause(40)
    told.serve(GOOD, 64)
    told.pause(40)
    return told
