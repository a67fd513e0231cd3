"""docs/first-hour.md and docs/numbers.md run as they are written, on an installation without torch."""

from __future__ import annotations

import difflib
import re
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass

import httpx
import pytest

from tests.acceptance import raw
from tests.first_hour.blocks import Change, Command, Prose, Session, parse
from tests.first_hour.engines import REFERENCE, SERVED
from tests.first_hour.page import PAGES, normal, walk
from tests.first_hour.shell import WITHOUT, Shell

pytestmark = pytest.mark.slow
PATIENCE = 60.0
PORTS = (8001, 8002, 8321, 8501)
API, DASHBOARD = PORTS[2:]
PROMISED = {0.01, 0.05, 3.11, 36.0}
"""The plan's budgets, the oldest Python, and what docs/real-pairs.md measured with another classifier."""
TEXTS = {page.name: page.read_text(encoding="utf-8") for page in PAGES}


@dataclass(frozen=True)
class Walked:
    """The pages' commands with what they printed now, by page; and the shell, in which the service still runs."""

    printed: dict[str, list[Command]]
    shell: Shell


def commands(blocks: tuple[object, ...]) -> list[Command]:
    return [command for block in blocks if isinstance(block, Session) for command in block.commands]


def free_ports() -> dict[int, int]:
    """A free port for each of the pages'."""
    found = []
    for _ in PORTS:
        found.append(socket.socket())
        found[-1].bind(("127.0.0.1", 0))
    ports = [each.getsockname()[1] for each in found]
    for each in found:
        each.close()
    return dict(zip(PORTS, ports, strict=True))


@pytest.fixture(scope="module")
def walked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Walked]:
    with Shell(tmp_path_factory.mktemp("first"), free_ports()) as shell:
        printed = {name: commands(tuple(walk(shell, parse(text)))) for name, text in TEXTS.items()}
        yield Walked(printed, shell)


@pytest.mark.parametrize("name", TEXTS)
def test_every_command_prints_what_the_page_says(walked: Walked, name: str) -> None:
    said, printed = (normal(Session(tuple(of)).text) for of in (commands(parse(TEXTS[name])), walked.printed[name]))
    differing = [line for line in difflib.ndiff(said.splitlines(), printed.splitlines()) if line[0] in "+-"]

    assert differing == [], "make pages writes them anew"


def test_the_service_and_its_dashboard_answer(walked: Walked) -> None:
    ports = walked.shell.ports
    verdict = answer(f"http://127.0.0.1:{ports[API]}/v1/verdict/{SERVED}").json()

    assert verdict["decision"] == "fail"
    assert answer(f"http://127.0.0.1:{ports[DASHBOARD]}/_stcore/health").text == "ok"


@pytest.mark.parametrize("module", WITHOUT)
def test_there_was_no_torch_to_be_had(walked: Walked, module: str) -> None:
    assert f"No module named '{module}'" in walked.shell.run(Command(f"python -c 'import {module}'"))


def test_what_the_first_page_says_of_the_study_is_what_its_people_counted() -> None:
    served, reference = (int(raw.human_refusals(system).sum()) for system in (SERVED, REFERENCE))

    assert f"{served} refusals in 239 answers, and {reference} of" in TEXTS["first-hour.md"]
    assert f"refuses {(served - reference) / 2.39:.1f} points more" in TEXTS["first-hour.md"]


def test_the_numbers_explained_in_the_prose_are_those_that_were_printed() -> None:
    """Every number with a decimal point that was written by hand stands in an output, rounded perhaps."""
    both = [block for text in TEXTS.values() for block in parse(text)]
    printed = "".join(command.printed for command in commands(tuple(both)))
    known = {round(float(number), places) for number in numbers(printed) for places in (0, 1, 2, 3)}
    prose = "".join(block.text for block in both if isinstance(block, Prose))

    assert [number for number in numbers(prose) if float(number) not in known | PROMISED] == []


def numbers(text: str) -> list[str]:
    return re.findall(r"\d+\.\d+", text)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("+36.4 (+24.1 to +46.0)", "+36.4 (+24.2 to +46.0)"),
        ('"lower": 0.24137046933174133', '"lower": 0.24147046933174133'),
        ("239 pairs of 239 units", "239 pairs of 240 units"),
        ("PASS  twin", "HOLD  twin"),
        ("26 checks, none failed", "26 checks, 1 failed"),
    ],
)
def test_no_other_number_is_taken_for_the_clock_s(one: str, other: str) -> None:
    assert normal(one) != normal(other)


def test_what_depends_on_the_clock_alone_is_alike() -> None:
    one = "sealed until 2026-11-24 11:25:00 UTC; 35d889a02e1e0578, until 4 min ago"

    assert normal(one) == normal("sealed until 2027-01-02 00:00:00 UTC; 0123456789abcdef, until 59 s ago")


def test_a_change_that_does_not_fit_its_file_is_refused() -> None:
    (change,) = (b for b in parse("```diff\n--- a\n+++ a\n@@ x\n one\n-two\n+three\n```\n") if isinstance(b, Change))

    assert change.applied("zero\none\ntwo\n") == "zero\none\nthree\n"
    with pytest.raises(ValueError, match="holds these lines 0 times"):
        change.applied("one\nthree\n")


def answer(url: str) -> httpx.Response:
    """What is answered there, as soon as anything is."""
    until = time.monotonic() + PATIENCE
    while True:
        try:
            return httpx.get(url, timeout=10)
        except httpx.TransportError:
            if time.monotonic() > until:
                raise
            time.sleep(0.2)
