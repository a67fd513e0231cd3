"""What tests need from this machine. A test that lacks it is skipped, and the last line counts what was.

`QUANTWATCH_REQUIRE=browser,shadow,kafka,postgres` turns a missing requirement, or any other skip of such a test, into a
failure.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
from collections import Counter
from collections.abc import Generator, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import pytest

# Before anything that reads them is imported: no network, no telemetry, no spinning threads.
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
os.environ.setdefault("STREAMLIT_BROWSER_GATHER_USAGE_STATS", "false")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

VARIABLE: Final = "QUANTWATCH_REQUIRE"
CHROMIUM: Final = ("chromium", "chromium-browser", "google-chrome")


def chromium() -> str | None:
    """Where a Chromium lies on this machine."""
    return next((path for name in CHROMIUM if (path := shutil.which(name))), None)


def kafka_lack() -> str | None:
    """What is missing for a Kafka broker: one that runs, one that is installed, or what its jars are got with."""
    if os.environ.get("KAFKA_BOOTSTRAP_SERVERS") or shutil.which("kafka-server-start.sh"):
        return None
    tools = all(map(shutil.which, ("java", "mvn")))
    return None if tools else "no Kafka (install the packages openjdk-17-jre-headless and maven)"


def postgres_lack() -> str | None:
    """What is missing for a PostgreSQL: a server that is given, or one that is installed."""
    if os.environ.get("DATABASE_URL") or any(Path("/usr/lib/postgresql").glob("*/bin/initdb")):
        return None
    tools = all(map(shutil.which, ("postgres", "initdb")))
    return None if tools else "no PostgreSQL (install the package postgresql)"


def missing() -> Mapping[str, str | None]:
    """For each requirement, by its marker, what is missing; None where nothing is."""
    torch = importlib.util.find_spec("torch")
    return {
        "browser": None if chromium() else "no Chromium (install the package chromium)",
        "postgres": postgres_lack(),
        "shadow": None if torch else "no torch (install quantwatch[shadow])",
        "kafka": kafka_lack(),
    }


def required() -> frozenset[str]:
    """The requirements that must be there; a `UsageError` for a word that names none."""
    wanted = frozenset(word for word in os.environ.get(VARIABLE, "").replace(" ", "").split(",") if word)
    if unknown := wanted - missing().keys():
        raise pytest.UsageError(f"{VARIABLE} knows {', '.join(missing())}, not {', '.join(sorted(unknown))}")
    return wanted


def pytest_configure(config: pytest.Config) -> None:
    """Says at once, not after the tests, that the variable is wrong."""
    required()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skips what this machine cannot run, or fails it where it is required."""
    for marker, lack in missing().items():
        if lack is None or item.get_closest_marker(marker) is None:
            continue
        if marker in required():
            pytest.fail(f"{VARIABLE} asks for {marker}: {lack}", pytrace=False)
        pytest.skip(lack)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A required test that skips itself is a failure, too."""
    report = yield
    if report.skipped and not hasattr(report, "wasxfail"):
        asked = [marker for marker in sorted(required()) if item.get_closest_marker(marker)]
        if asked:
            report.outcome = "failed"
            report.longrepr = f"{VARIABLE} asks for {asked[0]}, but it was skipped: {_reason(report)}"
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """One loud line about all that did not run."""
    reasons = Counter(_reason(report) for report in terminalreporter.stats.get("skipped", []))
    if reasons:
        total = reasons.total()
        said = "; ".join(f"{reason} ({n})" for reason, n in sorted(reasons.items()))
        tests = "1 test" if total == 1 else f"{total} tests"
        terminalreporter.write_line(f"{tests} skipped because: {said}", yellow=True, bold=True)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def either_database(request: pytest.FixtureRequest) -> Iterator[str]:
    """The test runs once on each database: `tests.support.stores.store` makes its stores there."""
    from tests.support.stores import kept_in

    with kept_in(request.param):
        yield request.param


@pytest.fixture(scope="session")
def chromium_path() -> str:
    """The browser's executable, for tests marked `browser`."""
    path = chromium()
    if path is None:
        pytest.skip("no Chromium (install the package chromium)")
    return path


@pytest.fixture(scope="session")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A real broker, for tests marked `kafka`."""
    if lack := kafka_lack():
        pytest.skip(lack)
    from tests.support.kafka import open_kafka

    yield from open_kafka(tmp_path_factory.mktemp("kafka"))


def _reason(report: pytest.TestReport | pytest.CollectReport) -> str:
    said = report.longrepr
    text = said[2] if isinstance(said, tuple) else str(said)
    return text.removeprefix("Skipped: ").strip()
