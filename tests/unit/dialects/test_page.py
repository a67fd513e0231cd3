"""The page on dialects says what the reader does."""

from __future__ import annotations

import re
from pathlib import Path

from monitor.dialects.reader import Reader
from monitor.model import Event
from services.planfile import parse_plan

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "dialects.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


def test_every_example_is_taken() -> None:
    (mapping,) = blocks("yaml")
    plan = parse_plan(mapping)
    plain, mapped, vllm, llamacpp = (block.replace("\n", "").encode() for block in blocks("json"))
    events = Reader().decode_all([plain, vllm, llamacpp], "inbox")
    events += Reader(plan.input.mapping, plan.home).decode_all([mapped], "inbox")

    assert [type(event) for event in events] == [Event] * 4
    timed = [event.timings.total for event in events if isinstance(event, Event) and event.timings]
    assert timed == [85.2 + 1240.5, 43.25 + 238.75, 840]
    assert events[3].conversation == "c-1042"  # type: ignore[union-attr]


def test_every_reason_of_the_reader_is_on_the_page() -> None:
    code = "\n".join(file.read_text(encoding="utf-8") for file in (ROOT / "monitor" / "dialects").glob("*.py"))
    raised = set(re.findall(r'Reject\("([a-z_]+)"', code)) - {"too_deep", "unknown_kind"}
    described = set(re.findall(r"^\| `([a-z_]+)` \|", PAGE.split("## What is refused", 1)[1], re.MULTILINE))

    assert raised == described


def test_every_key_that_is_read_of_the_engines_is_on_the_page() -> None:
    code = "\n".join((ROOT / "monitor" / "dialects" / f"{name}.py").read_text() for name in ("demand", "engine"))
    read = set(re.findall(r'\.get\("([a-z_]+)"\)', code)) - {"id", "json", "strict", "name", "type", "token", "content"}

    assert [key for key in sorted(read) if key not in PAGE] == []
