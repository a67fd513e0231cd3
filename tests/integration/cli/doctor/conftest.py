"""The doctor's set-up, with engines that answer or without."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.support.engine import Engine
from tests.support.shop import Shop, right, worse


@pytest.fixture
def shop(folder: Path, quantwatch: Callable[..., Any]) -> Shop:
    """A set-up whose builds are not reachable yet."""
    return Shop(folder, quantwatch)


@pytest.fixture
def engines() -> Iterator[Callable[..., Engine]]:
    """Starts engines that end with the test."""
    with ExitStack() as stack:
        yield lambda *args, **kwargs: stack.enter_context(Engine(*args, **kwargs))


@pytest.fixture
def healthy(shop: Shop, engines: Callable[..., Engine]) -> Shop:
    """The set-up with two engines that answer."""
    shop.arm("shop-fp16", url=engines(right, model="fp16").url, model="fp16")
    shop.arm("shop-int4", url=engines(worse, model="int4").url, model="int4")
    return shop
