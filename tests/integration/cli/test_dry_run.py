"""`quantwatch ingest --dry-run`: what is in a log, said before anything is written."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from services.commands.options import clock
from services.ingest.extract import FIRST, LAST, MIDDLE, line_number, stretches
from tests.acceptance import llama31
from tests.bench import traffic
from tests.integration.cli.conftest import Ran
from tests.support.events import START, Json, line, request
from tests.support.own_log import BUILD, cities, city, embedding, write
from tests.support.own_log import FIRST as FIRST_TIME

Run = Callable[..., Ran]
GOLDEN = Path(__file__).parents[2] / "golden" / "log.jsonl"


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_it_says_what_is_in_somebodys_log(quantwatch: Run, folder: Path) -> None:
    ran = quantwatch("ingest", "--dry-run", write(folder / "log.jsonl", cities(400)))
    rows = [row.split() for row in ran.out.splitlines()]

    assert (ran.code, ran.err) == (0, "")
    assert "would be taken: 400 of 400 lines; copies 0, quarantined 0" in ran.out
    assert "about 1,200 requests an hour" in ran.out
    assert ["default", BUILD, "100", "%", "2025-06-15", "15:06:40", "2025-06-15", "15:26:37"] in rows
    assert ["time", "100", "%", "response.created"] in rows
    assert ["schema", "100", "%", "5.2", "%", "yes"] in rows
    assert ["score", "no", "yes", *["neither", "a", "score", "nor", "an", "expected", "answer", "is", "logged"]] in rows
    assert "replayable: 100 % of the requests" in ran.out
    assert "`default` has no reference in the plan: nothing is replayed, and every verdict is hold" in ran.out
    assert FIRST_TIME == 1_750_000_000


@pytest.mark.parametrize("words", [(), ("--json",), ("--db", "sqlite:///x.db")])
def test_it_writes_nothing_at_all(quantwatch: Run, folder: Path, words: Sequence[str]) -> None:
    write(folder / "log.jsonl", cities(40))
    before = files(folder)

    assert quantwatch("ingest", "log.jsonl", "--dry-run", *words).code == 0
    assert files(folder) == before


def test_it_counts_what_ingestion_then_takes(quantwatch: Run, folder: Path) -> None:
    words = ("ingest", GOLDEN, "--plan", "plan.yaml", "--db", "sqlite:///x.db", "--json")
    (folder / "plan.yaml").write_text(
        "deployments: {shop: {lateness: 30s, variants: {shop-int8: {}, shop-fp16: {}}}}\n"
    )
    (dry,) = quantwatch(*words, "--dry-run").json
    (took,) = quantwatch(*words).json

    assert (dry["accepted"], dry["duplicates"]) == (took["accepted"], took["duplicates"])
    assert dry["refused"] == took["quarantined"]
    (kept,) = quantwatch("quarantine", "list", "--db", "sqlite:///x.db", "--limit", "1000", "--json").json
    first = sorted((row["position"], row["reason"]) for row in kept)[:5]
    assert [(problem["position"], problem["reason"]) for problem in dry["problems"]] == first


def test_several_files_are_taken_one_after_the_other_as_ingestion_does(quantwatch: Run, folder: Path) -> None:
    newer, older = [[request(f"r{n}", START + n) for n in range(at, at + 40)] for at in (90_000, 0)]
    words = ("ingest", write(folder / "b.jsonl", newer), write(folder / "a.jsonl", [*older, newer[0], older[3]]))
    (dry,) = quantwatch(*words, "--dry-run", "--json").json
    (took,) = quantwatch(*words, "--db", "sqlite:///x.db", "--json").json

    assert (dry["accepted"], dry["duplicates"], dry["refused"]) == (80, took["duplicates"], took["quarantined"])
    assert took["accepted"] == 80
    assert [each["file"].rsplit("/", 1)[-1] for each in dry["files"]] == ["b.jsonl", "a.jsonl"]


def test_problems_have_their_line_and_their_byte(quantwatch: Run, folder: Path) -> None:
    records = [line(request(f"r{n}", START + n)) for n in range(20)]
    records[3], records[9] = b"hello", b"[]"
    (folder / "log.jsonl").write_bytes(b"\n".join([records[0], b"", *records[1:]]) + b"\n")
    (said,) = quantwatch("ingest", "log.jsonl", "--dry-run", "--json").json
    whole = (folder / "log.jsonl").read_bytes()

    assert [(p["line"], p["reason"], p["file"]) for p in said["problems"]] == [
        (5, "not_json", "log.jsonl"),
        (11, "wrong_type", "log.jsonl"),
    ]
    assert [whole[p["position"] :].split(b"\n")[0] for p in said["problems"]] == [b"hello", b"[]"]
    assert (
        f"log.jsonl, line 5 (byte {whole.index(b'hello'):,}): not_json"
        in quantwatch("ingest", "log.jsonl", "--dry-run").out
    )


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("empty.jsonl", b"", "is empty"),
        ("blank.jsonl", b" \n\n", "is empty"),
        ("log.gz", gzip.compress(b"{}"), "is gzip, not lines of JSON in UTF-8"),
        ("log.db", b"SQLite format 3\0" + bytes(99), "is SQLite, not lines of JSON in UTF-8"),
        ("core", b"\x7fELF\0\0" + bytes(99), "is binary, not lines of JSON in UTF-8"),
        ("log.txt", '{"id": "x"}'.encode("utf-16"), "is UTF-16 text, not lines of JSON in UTF-8"),
        (
            "e.jsonl",
            b"\n".join(map(line, map(embedding, range(9)))),
            "calls of an embeddings endpoint, without prompts",
        ),
        ("", b"", "is a directory"),
        ("none.jsonl", None, "No such file or directory"),
    ],
)
@pytest.mark.parametrize("words", [("ingest", "--dry-run"), ("plan", "init")])
def test_what_is_no_log_of_chats_is_one_line(
    quantwatch: Run, folder: Path, name: str, content: bytes | None, said: str, words: Sequence[str]
) -> None:
    if name and content is not None:
        (folder / name).write_bytes(content)
    before = files(folder)

    assert said in quantwatch(*words, name or ".").refusal
    assert files(folder) == before


def test_an_embeddings_log_among_others_is_named(quantwatch: Run, folder: Path) -> None:
    chat, other = write(folder / "chat.jsonl", cities(10)), write(folder / "e5.jsonl", [embedding(1)])

    assert "e5.jsonl: calls of an embeddings endpoint" in quantwatch("ingest", "--dry-run", chat, other).refusal


def test_a_mapping_that_points_nowhere_is_one_line_of_the_answer(quantwatch: Run, folder: Path) -> None:
    (folder / "quantwatch.yaml").write_text("input: {mapping: {time: $.meta.ts}}\n")
    ran = quantwatch("ingest", "--dry-run", write(folder / "log.jsonl", cities(40)))

    assert ran.code == 0
    assert "  40 of 40 lines cannot be taken (no_time): nothing at `$.meta.ts`\n" in ran.out
    assert "log.jsonl, line 1 (byte 0): no_time: nothing at `$.meta.ts`" in ran.out


def test_a_plan_for_other_builds_is_one_line_of_the_answer(quantwatch: Run, folder: Path) -> None:
    (folder / "quantwatch.yaml").write_text("deployments: {shop: {variants: {acme-8b-fp16: {}, acme-8b-gptq: {}}}}\n")
    ran = quantwatch("ingest", "--dry-run", write(folder / "log.jsonl", cities(40)))

    assert ran.code == 0
    assert f"variant `{BUILD}` (100 % of the requests) is not in the plan, whose `shop` has `acme-8b-fp16`" in ran.out
    assert "schema" in ran.out, "the signals are said all the same"


def test_a_long_log_is_read_at_its_beginning_its_middle_and_its_end(quantwatch: Run, folder: Path) -> None:
    count = 30_000
    with (folder / "log.jsonl").open("wb") as file:
        file.writelines(
            line({"id": f"r{n}", "deployment": "d", "variant": "v", "time": START + n}) + b"\n" for n in range(count)
        )
    (found,) = stretches(["log.jsonl"], clock)
    numbers = [[int(json.loads(raw)["id"][1:]) for raw in run.records] for run in found.runs]

    assert [len(each) for each in numbers] == [FIRST, MIDDLE, LAST]
    assert (numbers[0][0], numbers[-1][-1]) == (0, count - 1)
    assert numbers[1][0] == pytest.approx(count / 2, rel=0.05)
    assert all(each == list(range(each[0], each[0] + len(each))) for each in numbers)
    assert found.about == pytest.approx(count, rel=0.02)
    assert not found.whole
    assert [stretches(["log.jsonl"], clock)[0].runs[i].positions for i in range(3)] == [r.positions for r in found.runs]
    assert line_number(found.path, found.runs[2].positions[0]) == count - LAST + 1
    ran = quantwatch("ingest", "--dry-run", "log.jsonl")
    assert "about 30,000 lines, 8,000 read" in ran.out
    assert "about 3,600 requests an hour" in ran.out


@pytest.mark.parametrize("extra", [-1, 0, 1, MIDDLE + LAST])
def test_no_line_is_read_twice_whatever_the_length(folder: Path, extra: int) -> None:
    count = FIRST + extra
    (folder / "log.jsonl").write_bytes(b"".join(b'{"n":%d}\n' % n for n in range(count)))
    (found,) = stretches(["log.jsonl"], clock)
    positions = [position for run in found.runs for position in run.positions]

    assert len(set(positions)) == len(positions) <= count
    assert positions == sorted(positions)
    assert found.about == pytest.approx(count, rel=0.1)
    assert found.whole == (found.records == count)


def test_generated_native_traffic_runs_every_live_signal(quantwatch: Run, folder: Path) -> None:
    traffic.write(folder / "log.jsonl", 600, 5)
    (said,) = quantwatch("ingest", "log.jsonl", "--dry-run", "--json").json
    runs = {signal["signal"]: signal["runs"] for signal in said["signals"]}

    assert said["dialects"] == {"native": 600}
    assert {v["variant"] for v in said["variants"]} == set(traffic.VARIANTS)
    assert [name for name, count in runs.items() if not count] == ["score", "feedback", "late_score"]
    assert said["replays"]["reasons"] == {"sampled at a temperature above zero": said["requests"]}


def test_real_answers_of_three_builds_are_told_apart(quantwatch: Run, folder: Path) -> None:
    real = write(folder / "log.jsonl", list(real_pairs()))
    (said,) = quantwatch("ingest", real, "--dry-run", "--json").json

    assert {v["variant"]: round(v["share"], 2) for v in said["variants"]} == {
        "fp16": 0.33,
        "q4_K_M": 0.33,
        "q8_0": 0.33,
    }
    assert {signal["signal"]: signal["runs"] for signal in said["signals"]}["refusal"] == said["requests"]
    assert said["doubts"] == []


def real_pairs() -> list[Json]:
    """Llama 3.1's answers at three formats as one log of OpenAI pairs."""
    found = []
    for number, row in enumerate(llama31.rows()):
        for offset, (build, arm) in enumerate(sorted(row["arms"].items())):
            record = city(3 * number + offset, arm["output"], model=build)
            record["request"] |= {"metadata": {"task": row["task"]}, "response_format": None}
            found.append(record)
    return found


def test_the_help_has_it(quantwatch: Run) -> None:
    assert "--dry-run" in quantwatch("ingest", "--help").out
