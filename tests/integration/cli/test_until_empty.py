"""`quantwatch shadow --until-empty`, and the verdict that waits for it."""

from __future__ import annotations

import json
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.integration.cli.conftest import Ran
from tests.support.engine import Engine, Json
from tests.support.faults import Status
from tests.support.own_log import BUILD, cities, write

Run = Callable[..., Ran]
COUNT = 40


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Short pauses, and this process's own signals afterwards."""
    monkeypatch.setattr("shadow.backends.http.FIRST_PAUSE", 0.001)
    monkeypatch.setattr("shadow.backends.breaker.LONGEST", 0.1)
    kept = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield
    for number, handler in kept.items():
        signal.signal(number, handler)


@pytest.fixture
def reference() -> Iterator[Engine]:
    with Engine(lambda body: '{"city": "Oslo"}', model="full") as engine:
        yield engine


@pytest.fixture
def taken(quantwatch: Run, folder: Path, reference: Engine) -> Run:
    """The command line after a log was taken whose every unit is to be replayed."""
    arm = {"backend": "openai", "url": reference.url, "model": reference.model, "timeout": "2s"}
    rule: Json = {"reference": "full", "variants": {"full": {"arm": arm}, BUILD: {}}}
    rule["shadow"] = {"share": 1.0, "second_share": 0.0}
    (folder / "quantwatch.yaml").write_text(json.dumps({"deployments": {"cities": rule}}))
    assert quantwatch("ingest", write(folder / "log.jsonl", cities(COUNT))).code == 0
    return quantwatch


def verdict(quantwatch: Run) -> Ran:
    return quantwatch("verdict", BUILD, "--as-of", "end", "--json")


def test_it_ends_by_itself_and_says_how_many_were_replayed(taken: Run) -> None:
    ran = taken("shadow", "--until-empty")

    assert (ran.code, ran.out, ran.err) == (0, f"replayed {COUNT} units\n", "")
    assert verdict(taken).json[0]["checks"][0]["pairs"] == COUNT
    assert taken("shadow", "--until-empty").out == "nothing waits to be replayed\n"


def test_what_was_tried_too_often_is_counted_apart(taken: Run, reference: Engine) -> None:
    reference.faults = lambda body: Status(500) if "order 3 " in body["messages"][-1]["content"] else None

    said = taken("shadow", "--until-empty").out

    assert said == f"replayed {COUNT - 1} units, 1 failed (`quantwatch quarantine list --reason replay_failed`)\n"


def test_it_waits_for_an_engine_that_is_down_and_says_so_once(taken: Run, reference: Engine) -> None:
    reference.stop()
    back = threading.Timer(1.5, reference.start)
    back.start()

    ran = taken("shadow", "--until-empty")
    back.join()

    assert (ran.code, ran.out) == (0, f"replayed {COUNT} units\n")
    waiting = [line for line in ran.err.splitlines() if "an engine does not answer" in line]
    assert waiting == [
        f"{COUNT} units wait: an engine does not answer, a day's limit is spent, or another worker has them"
    ]


def test_the_end_is_not_judged_while_units_wait_and_nothing_is_sealed_by_asking(taken: Run) -> None:
    refused = verdict(taken).refusal

    assert refused.startswith(f"{COUNT} units still wait to be replayed")
    assert "quantwatch shadow --until-empty" in refused
    assert taken("shadow", "--until-empty").out == f"replayed {COUNT} units\n"
    assert verdict(taken).json[0]["coverage"]["excluded_share"] == 0.0


def test_without_the_end_a_verdict_is_given_whoever_waits(taken: Run) -> None:
    assert taken("verdict", BUILD, "--json").json[0]["decision"] == "hold"
