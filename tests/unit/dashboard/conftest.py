"""The dashboard's tests drive the real app against a real server with canned answers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

import dashboard
from tests.support import fake_api

APP = Path(dashboard.__file__).parent / "app.py"
Open = Callable[..., AppTest]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Deprecations that third parties cause among themselves are not ours to fix."""
    here = str(Path(__file__).parent)
    for item in items:
        if str(item.path).startswith(here):
            for module in ("altair", "streamlit", "pandas"):
                item.add_marker(pytest.mark.filterwarnings(f"ignore::DeprecationWarning:{module}"))


@pytest.fixture(scope="session")
def world() -> Iterator[str]:
    """The fake API's address; append `/state`."""
    with fake_api.serve() as address:
        yield address


@pytest.fixture
def open_page(world: str, monkeypatch: pytest.MonkeyPatch) -> Open:
    """Opens a page in a state of the world, as somebody with this address would see it."""

    def opened(state: str, page: str = "now", **query: str) -> AppTest:
        monkeypatch.setenv("QUANTWATCH_API", f"{world}/{state}" if state != "down" else "http://127.0.0.1:9")
        app = AppTest.from_file(str(APP), default_timeout=30)
        if page != "now":
            app.switch_page(f"app_pages/{page}.py")
        for name, value in query.items():
            app.query_params[name] = value
        return app.run()

    return opened
