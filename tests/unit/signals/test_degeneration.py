"""Degeneration: loops, empty and cut-off answers, the wrong script, and lengths, on real and on made-up texts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.model import Event, Message, Output, ToolCall
from monitor.signals.columns import Columns
from monitor.signals.degeneration import LENGTH_BINS, LENGTH_EDGES, Degeneration, length, length_value
from monitor.signals.kernels_text import PLAIN, REPEATS, SCRIPTS, endings, mostly_ascii, repeats, scripts
from monitor.signals.text import pack_whole

DATA = Path(__file__).parents[2] / "data"
FAMILY = Degeneration()
SENTENCE = "The invoice was sent to the customer on the day after the order had been placed. "
TABLE = "| order | quantity | price |\n|---|---|---|\n" + "".join(
    f"| A-{k} | {k % 3} | {k * 7}.00 |\n" for k in range(30)
)


def event(text: str | None = None, question: str | None = "What is the weather?", **fields: Any) -> Event:
    output = fields.pop("output", None if text is None else Output(text=text, finish_reason="stop"))
    messages = None if question is None else (Message("system", "Отвечай"), Message("user", question))
    return Event(id="r", deployment="d", variant="v", time=0.0, messages=messages, output=output, **fields)


def cells(event: Event) -> dict[str, str]:
    row = FAMILY.judge(event, event.output)
    return {d.signal: d.cells[cell] for d, cell in zip(FAMILY.definitions, row, strict=True)}


@pytest.mark.parametrize(
    "text",
    [
        "the the the the",
        "I think the the the the the the the th",
        SENTENCE * 3,
        SENTENCE * 3 + SENTENCE[:40],
        "Here is the list:\n" + "- check the cable\n" * 4,
        "Sure." + " I'm sorry, I'm sorry," * 20 + "\n\n",
        "好的好的好的好的好的好的好的好的",
        "!" * 80,
        "0.3" + "3" * 100,
        "Done.\n" + "\n" * 200,
        '[{"text": "EU"' + ', {"text": "EU"}' * 12,
        "x" + "".join(f"line {k}\n" for k in range(100)) + ("abcdefghij" * 180 + ". ") * 3,
    ],
    ids=lambda text: ascii(text[:20]),
)
def test_a_text_that_ends_in_a_loop_repeats(text: str) -> None:
    assert repeats(text)
    assert cells(event(text))["repetition"] == "yes"


@pytest.mark.parametrize(
    "text",
    [
        "the the",
        "No, no, no.",
        SENTENCE * 2,
        SENTENCE * 3 + "That is all.",
        TABLE,
        json.dumps(list(range(400))),
        json.dumps([0] * 400),
        json.dumps([{"id": k, "name": f"part {k}"} for k in range(50)], indent=2),
        "1000000000000000000000",
        "Title\n" + "=" * 40,
        "{" * 30 + "}" * 30,
        "<ul>" + "".join(f"<li>{k}</li>" for k in range(9)) + "</div></div></div></div>",
        "One of them is called abcdefghij, one abcdefghij" + " " * 60,
        "Yes.",
        "",
        "\n",
    ],
    ids=lambda text: ascii(text[:20]),
)
def test_tables_lists_and_closing_tags_do_not_repeat(text: str) -> None:
    assert not repeats(text)


def test_of_real_outputs_exactly_those_repeat_that_were_cut_off_in_a_loop() -> None:
    rows = [json.loads(line) for line in (DATA / "quant_pairs/extraction.jsonl").read_text().splitlines()]
    outputs = [arm["output"] for row in rows for arm in row["arms"].values()]
    assert len(outputs) == 162
    looping = [text for text in outputs if repeats(text)]
    assert looping == [text for text in outputs if not text.rstrip().endswith("]")]
    assert len(looping) == 3


def test_real_questions_do_not_repeat_and_keep_their_script() -> None:
    for line in (DATA / "bfcl/requests.jsonl").read_text().splitlines():
        text = json.loads(line)["messages"][-1]["content"]
        assert not repeats(text)
        assert cells(event(text, question=text))["language"] == "no"


@settings(max_examples=100, deadline=None)
@given(st.text(st.sampled_from("abc d.\n"), min_size=5, max_size=30), st.integers(3, 6), st.text(max_size=40))
def test_every_block_with_a_letter_that_fills_the_end_three_times_repeats(block: str, times: int, start: str) -> None:
    text = start + block * times
    if len(text.rstrip()) == len(text) and any(map(str.isalpha, block)):
        assert repeats(text)


LOOPING = st.tuples(
    st.text(st.sampled_from("ab <.\n"), max_size=70),
    st.text(st.sampled_from("ab <.\n"), min_size=1),
    st.integers(0, 40),
).map(lambda made: made[0] + made[1] * made[2])


@settings(max_examples=500, deadline=None)
@given(
    st.lists(
        LOOPING | st.text(st.sampled_from("a b"), max_size=90) | st.sampled_from(["\n" * 64, "x" * 7_000]), max_size=8
    )
)
def test_the_compiled_rule_is_the_same_to_the_letter(texts: list[str]) -> None:
    marks = np.empty(len(texts), dtype=np.int64)
    endings(*pack_whole(texts), np.array([len(text) for text in texts], dtype=np.int64), marks)
    assert [bool(mark & REPEATS) for mark in marks.tolist()] == [text != "" and repeats(text) for text in texts]
    assert [bool(mark & PLAIN) for mark in marks.tolist()] == [text != "" for text in texts]


@pytest.mark.parametrize(
    ("output", "expected", "reason"),
    [
        (None, "no_content", "no output"),
        (Output(), "no_content", "text was not logged"),
        (Output(text=""), "yes", "nothing"),
        (Output(text=" \n\u200b\ufeff"), "yes", "nothing visible"),
        (Output(text="."), "no", "a sign"),
        (Output(text="\u200b."), "no", "a sign behind an invisible one"),
        (Output(text="", tool_calls=(ToolCall("f"),)), "no", "a call"),
        (Output(tool_calls=(ToolCall("f"),)), "no", "a call"),
    ],
)
def test_empty(output: Output | None, expected: str, reason: str) -> None:
    assert cells(event(output=output))["empty"] == expected, reason


@pytest.mark.parametrize(
    ("reason", "expected"),
    [("length", "yes"), ("stop", "no"), ("tool_calls", "no"), (None, "not_observed")],
)
def test_truncation_is_what_the_finish_reason_says(reason: str | None, expected: str) -> None:
    for output in (Output(text="a", finish_reason=reason), Output(text="", finish_reason=reason)):
        assert cells(event(output=output))["truncation"] == expected
    assert cells(event())["truncation"] == "no_content"


GERMAN = "Müßige Bäche fließen über schöne grüne Hügel."
CHINESE = "天气很好，我们去公园散步吧。"
JAPANESE = "天気がいいので、公園へ散歩に行きましょう。"
RUSSIAN = "Погода хорошая, пойдём гулять в парк."
ENGLISH = "The weather is fine, let us go for a walk."


@pytest.mark.parametrize(
    ("question", "answer", "expected", "reason"),
    [
        (ENGLISH, ENGLISH, "no", "the same"),
        (GERMAN, ENGLISH, "no", "one script"),
        (ENGLISH, "“Naïve” — café…", "no", "dashes and accents"),
        (ENGLISH, CHINESE, "yes", "a switch"),
        (CHINESE, ENGLISH, "yes", "a switch"),
        (CHINESE, CHINESE, "no", "the same"),
        (CHINESE, f"{CHINESE} (see README.md)", "no", "a few foreign words"),
        (CHINESE, JAPANESE, "no", "a question in Han may be Japanese"),
        (JAPANESE, CHINESE, "yes", "a question with kana is not Chinese"),
        (RUSSIAN, ENGLISH, "yes", "a switch"),
        (ENGLISH, RUSSIAN, "yes", "a switch"),
        (RUSSIAN, '{"weather": "fine"}', "no", "JSON"),
        (RUSSIAN, "```python\nprint(weather)\n```", "no", "code"),
        (RUSSIAN, "42", "no", "no letters"),
        (RUSSIAN, "🙂🙂🙂🙂🙂🙂", "no", "no letters"),
        ("?", RUSSIAN, "no", "a question without letters"),
        (ENGLISH, "\ud800\ud800\ud800", "no", "no characters"),
        (ENGLISH, "  ", "no_content", "nothing visible"),
        (None, ENGLISH, "not_observed", "the question was not logged"),
        ("", ENGLISH, "not_observed", "an empty question"),
    ],
)
def test_language(question: str | None, answer: str, expected: str, reason: str) -> None:
    assert cells(event(answer, question=question))["language"] == expected, reason


def test_the_last_user_message_is_the_question() -> None:
    asked = event(RUSSIAN, question=RUSSIAN)
    assert asked.messages is not None
    longer = Event(
        id="r",
        deployment="d",
        variant="v",
        time=0.0,
        messages=(*asked.messages, Message("assistant", ENGLISH), Message("tool", ENGLISH)),
        output=asked.output,
    )
    assert cells(longer)["language"] == "no"


def test_scripts_are_counted_per_text() -> None:
    counts = scripts(["ab é", "", "жabc", "漢字かな"])
    found = [{SCRIPTS[k]: int(n) for k, n in enumerate(row) if n} for row in counts]
    assert found == [{"none": 1, "latin": 3}, {}, {"latin": 3, "cyrillic": 1}, {"han": 2, "kana": 2}]
    assert mostly_ascii("a" * 19 + "é")
    assert not mostly_ascii(GERMAN[:6])


def test_length_is_text_and_arguments_in_half_octaves() -> None:
    output = Output(text="abc", tool_calls=(ToolCall("name", '{"a":1}'),))
    assert length(output) == 10
    for k, edge in enumerate(LENGTH_EDGES):
        assert cells(event("x" * edge))["length"] == str(max(j + 1 for j in range(k, 31) if LENGTH_EDGES[j] == edge))
    assert cells(event(""))["length"] == "0"
    assert cells(event())["length"] == "no_content"
    assert cells(event("x" * 70_000))["length"] == str(LENGTH_BINS - 1)


def test_length_values_grow_with_length_up_to_their_bound() -> None:
    values = [length_value(Output(text="x" * n)) for n in (0, 1, 3, 255, 65_535, 100_000)]
    assert values == [0, 4_096, 8_192, 32_768, 65_535, 65_535]
    assert length_value(Output()) is None


def test_no_length_value_lies_so_near_to_a_half_that_two_machines_could_disagree() -> None:
    characters = np.arange(1, 65_536)
    inexact = characters[(characters & (characters - 1)) != 0]  # the logarithm of a power of two is exact
    exact = np.log2(inexact) * 65_535 / 16
    rest = np.abs(exact - np.floor(exact) - 0.5)
    assert rest.min() > 1e-7


TEXTS = st.sampled_from(
    [None, "", " ", ENGLISH, RUSSIAN, CHINESE, JAPANESE, GERMAN, SENTENCE * 4, "the the the the", "{}"]
) | st.text(max_size=30)
OUTPUTS = st.none() | st.builds(
    Output,
    text=TEXTS,
    tool_calls=st.sampled_from([(), (ToolCall("f", '{"a":1}'),)]),
    finish_reason=st.sampled_from([None, "stop", "length"]),
)
EVENTS = st.builds(event, st.none(), TEXTS, output=OUTPUTS)


@settings(max_examples=200, deadline=None)
@given(st.lists(EVENTS, max_size=6), st.integers(0, 6))
def test_batches_equal_single_events_however_they_are_split(events: list[Event], cut: int) -> None:
    rows = np.array([FAMILY.judge(e, e.output) for e in events], dtype=np.int16).reshape(-1, 5)
    assert np.array_equal(FAMILY.judge_all(Columns(events)), rows)
    halves = [FAMILY.judge_all(Columns(events[:cut])), FAMILY.judge_all(Columns(events[cut:]))]
    assert np.array_equal(np.concatenate(halves), rows)
