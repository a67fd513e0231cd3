"""Somebody's own log of OpenAI pairs, without a plan: all of it is taken, and the verdict is an honest hold."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.integration.cli.conftest import Ran
from tests.support.events import Json
from tests.support.own_log import BUILD, city, write


def pair(number: int, answer: str, **response: Any) -> Json:
    """One pair, with another response than its own where that is given."""
    whole = city(number, answer)
    whole["response"] |= {"created": 1_795_000_000 + number * 3} | response
    return whole


@pytest.fixture
def log(folder: Path) -> Path:
    draw = random.Random(3)
    answers = ['{"town": "Oslo"}' if draw.random() < 0.05 else '{"city": "Oslo"}' for _ in range(400)]
    return write(folder / "log.jsonl", [pair(i, answer) for i, answer in enumerate(answers)])


def test_every_pair_is_taken_and_the_verdict_holds(quantwatch: Callable[..., Ran], log: Path) -> None:
    took = quantwatch("ingest", log, "--db", "sqlite:///own.db", "--json")

    assert took.json == [{"accepted": 400, "duplicates": 0, "quarantined": {}}]
    verdict = quantwatch("verdict", BUILD, "--db", "sqlite:///own.db", "--as-of", "end")
    assert verdict.code == 2
    assert verdict.out.startswith(f"HOLD  {BUILD} (default): no reference")
    (again,) = quantwatch("ingest", log, "--db", "sqlite:///own.db", "--json").json
    assert (again["accepted"], again["duplicates"]) == (0, 0), "the file was read to its end"


def test_schemas_that_answers_break_are_counted(quantwatch: Callable[..., Ran], log: Path) -> None:
    quantwatch("ingest", log, "--db", "sqlite:///own.db")
    quantwatch("verdict", BUILD, "--db", "sqlite:///own.db", "--as-of", "end")
    facts = quantwatch("facts", "--db", "sqlite:///own.db", "--signal", "schema", "--json").json
    counts: dict[str, int] = {}
    for row in facts:
        if row["population"] == "unit" and row["slice"] == "all":
            for cell, number in row["counts"].items():
                counts[cell] = counts.get(cell, 0) + number
    broken = log.read_text().count("town")

    assert broken > 5
    assert {cell: n for cell, n in counts.items() if n} == {"ok": 400 - broken, "bad": broken}


def test_a_log_of_other_calls_is_counted_by_what_it_is(quantwatch: Callable[..., Ran], folder: Path) -> None:
    embedding = {"request": {"model": "e5", "input": "x"}, "response": {"object": "list", "data": [], "model": "e5"}}
    chunk = {"object": "chat.completion.chunk", "choices": [{"index": 0, "delta": {"content": "Os"}}]}
    pairs = [embedding, embedding, pair(1, "", **chunk), pair(2, "{}", created=None), pair(3, "{}")]
    took = quantwatch("ingest", write(folder / "calls.jsonl", pairs), "--db", "sqlite:///own.db", "--json")

    assert took.json == [
        {"accepted": 1, "duplicates": 0, "quarantined": {"no_time": 1, "not_chat": 2, "stream_chunk": 1}}
    ]
    listed = quantwatch("quarantine", "list", "--db", "sqlite:///own.db")
    assert "nothing at `$.time`, `$.timestamp`, `response.created`" in listed.out
    assert "Give the city" not in listed.out


def test_a_plan_says_where_everything_stands(quantwatch: Callable[..., Ran], folder: Path) -> None:
    (folder / "quantwatch.yaml").write_text(
        """
deployments:
  cities: {variants: {awq: {}, fp16: {}}, slices: [{name: eu, where: {tags: {region: eu}}}]}
input:
  mapping:
    request: $.in
    response: $.out
    time: {path: $.ms, unit: ms}
    variant: {file: '^(\\w+)-'}
    conversation: headers.x-chat
    tags: {region: $.meta.region}
"""
    )
    pairs = [
        {"in": p["request"], "out": p["response"], "ms": 1_795_000_000_000 + i, "headers": {"X-Chat": "c"}}
        | {"meta": {"region": "eu"}}
        for i, p in enumerate(pair(i, "{}") for i in range(5))
    ]
    took = quantwatch("ingest", write(folder / "awq-1.jsonl", pairs), "--db", "sqlite:///own.db", "--json")
    assert took.json[0]["accepted"] == 5
    verdict = quantwatch("verdict", "awq", "--db", "sqlite:///own.db", "--as-of", "end", "--json").json[0]

    assert verdict["deployment"] == "cities"
    assert verdict["coverage"]["units"] == 1, "five turns of one conversation are one unit"


def test_a_wrong_place_in_the_plan_is_one_line(quantwatch: Callable[..., Ran], folder: Path) -> None:
    (folder / "plan.yaml").write_text("input:\n  mapping:\n    time: meta.ts\n")

    refusal = quantwatch("plan", "check", "plan.yaml").refusal

    assert refusal.startswith("plan.yaml:3: `time`: `meta.ts` is no path; allowed: ")
