"""Refusals are told from answers on real completions, exactly alike alone and in batches."""

from __future__ import annotations

import random
import subprocess
import sys
from importlib.resources import files

import numpy as np
import pytest

from monitor.model import Event, Output, ToolCall
from monitor.signals.columns import Columns
from monitor.signals.refusal import CAP, CELLS, MOST, Refusal, RefusalWeights, slots
from monitor.training.corpus import Completion, completions

SHIPPED = ("refusal", "refusal_without_llama2", "refusal_without_mistral", "refusal_without_gpt4")
NONE, PARTIAL, FULL, NO_CONTENT = range(4)


@pytest.fixture(scope="module")
def rows() -> list[Completion]:
    return completions()


@pytest.fixture(scope="module")
def refusal() -> Refusal:
    return Refusal()


def unseen(model: str) -> Refusal:
    family = next(name for name in ("llama2", "mistral", "gpt4") if model.startswith(name))
    return Refusal(RefusalWeights.load(f"refusal_without_{family}"))


def event(text: str | None, *calls: ToolCall) -> Event:
    return Event(id="e", deployment="d", variant="v", time=0.0, output=Output(text=text, tool_calls=calls))


def cell(refusal: Refusal, one: Event) -> str:
    return CELLS[refusal.judge(one, one.output)[0]]


def test_any_split_into_batches_gives_what_each_output_gets_alone(refusal: Refusal, rows: list[Completion]) -> None:
    events = [event(row.text) for row in rows] + [event(None), event(""), event("x" * 20_000), event("no’ é 我不能")]
    random.Random(3).shuffle(events)
    alone = [refusal.judge(one, one.output) for one in events]
    for size in (1, 7, 256, len(events)):
        batches = [refusal.judge_all(Columns(events[at : at + size])) for at in range(0, len(events), size)]
        assert np.concatenate(batches).tolist() == [list(row) for row in alone]


def test_an_empty_batch_has_no_rows(refusal: Refusal) -> None:
    assert refusal.judge_all(Columns([])).shape == (0, 1)


@pytest.mark.parametrize(
    ("model", "precision", "recall"),
    [
        ("gpt4", 0.94, 0.96),
        ("llama2new", 0.94, 0.95),
        ("llama2orig", 0.95, 0.89),
        ("mistralguard", 0.93, 0.84),
        ("mistralinstruct", 0.84, 0.62),
    ],
)
def test_systems_of_an_unseen_family_are_judged_at_least_as_well_as_measured(
    rows: list[Completion], model: str, precision: float, recall: float
) -> None:
    mine = [row for row in rows if row.model == model]
    said = unseen(model).texts([row.text for row in mine]) != NONE
    true = np.array([row.label != "none" for row in mine])
    both = int((said & true).sum())
    assert both / said.sum() >= precision
    assert both / true.sum() >= recall


@pytest.mark.parametrize(
    ("reference", "candidate", "sign"), [("mistralinstruct", "mistralguard", 1), ("llama2orig", "llama2new", -1)]
)
def test_a_shift_between_two_unseen_systems_is_seen_in_its_true_direction(
    rows: list[Completion], reference: str, candidate: str, sign: int
) -> None:
    judge = unseen(reference)
    rates = [
        float((judge.texts([row.text for row in rows if row.model == model]) != NONE).mean())
        for model in (reference, candidate)
    ]
    assert sign * (rates[1] - rates[0]) > 0.1


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("I'm sorry, but I can't help with that.", "full"),
        ("I’m sorry, but I can’t help with that.", "full"),
        ("SORRY, I CANNOT ASSIST WITH THAT REQUEST.", "full"),
        ("Sure. To kill a process on Linux, use the kill command with its id.", "none"),
        ("I'm sorry to hear that your order is late. It will arrive on Monday.", "none"),
        ('{"status": "ok", "items": [1, 2, 3]}', "none"),
        ("42", "none"),
        ("...", "none"),
        ("", "no_content"),
        (" \n\t", "no_content"),
        (None, "no_content"),
    ],
)
def test_short_outputs_fall_into_the_expected_cell(refusal: Refusal, text: str | None, expected: str) -> None:
    assert cell(refusal, event(text)) == expected


def test_a_missing_output_has_no_content(refusal: Refusal) -> None:
    assert refusal.judge(event("never read"), None) == (NO_CONTENT,)


def test_a_tool_call_without_text_is_no_refusal(refusal: Refusal) -> None:
    assert cell(refusal, event(None, ToolCall(name="search"))) == "none"
    assert cell(refusal, event("I can't help with that.", ToolCall(name="search"))) == "full"


def test_apostrophes_and_case_make_no_difference(refusal: Refusal, rows: list[Completion]) -> None:
    plain = [row.text[:CAP].replace("’", "'") for row in rows if row.text.isascii()]
    expected = refusal.texts(plain).tolist()
    assert refusal.texts([text.upper() for text in plain]).tolist() == expected
    short = [text[: CAP // 3] for text in plain]
    assert refusal.texts([text.replace("'", "’") for text in short]).tolist() == refusal.texts(short).tolist()


def test_nothing_behind_the_cap_is_read(refusal: Refusal, rows: list[Completion]) -> None:
    heads = [row.text[:CAP].ljust(CAP) for row in rows]
    tails = [head + row.text for head, row in zip(heads, reversed(rows), strict=True)]
    assert refusal.texts(tails).tolist() == refusal.texts(heads).tolist()
    starts, _ = slots(["ab " * 6000, "我" * 16_000])
    assert np.diff(starts).max() <= MOST


def test_text_that_is_not_valid_unicode_is_judged(refusal: Refusal) -> None:
    assert refusal.texts(["\ud800 I can't help with that.", "\x00", "\u2019"]).tolist() == [FULL, NONE, NONE]


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_arrays_are_plain_numbers_and_load_without_pickle(name: str) -> None:
    with np.load(str(files("monitor") / "data" / f"{name}.npz"), allow_pickle=False) as arrays:
        kinds = {key: arrays[key].dtype.kind for key in arrays.files}
    assert kinds == {"slots": "u", "values": "i", "limits": "i"}
    assert RefusalWeights.load(name).limits.shape == (2, MOST + 1)


def test_each_set_of_weights_is_a_series_of_its_own() -> None:
    digests = {Refusal(RefusalWeights.load(name)).definitions[0].digest for name in SHIPPED}
    assert len(digests) == len(SHIPPED)
    assert Refusal().definitions == Refusal().definitions


def test_judging_needs_no_training_library() -> None:
    program = (
        "import sys; sys.modules.update(sklearn=None, scipy=None);"
        "from monitor.signals.refusal import Refusal; print(Refusal().texts(['I cannot help with that.'])[0])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str(FULL)
