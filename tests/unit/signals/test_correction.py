"""Users who correct an answer are noticed, and the many who do not are left alone."""

from __future__ import annotations

import random
import subprocess
import sys

import numpy as np
import pytest
import re2

from monitor.signals.correction import (
    DEFINITION,
    END,
    corrects,
    definition,
    patterns,
    says_so,
    signature,
    signatures,
)
from monitor.signals.text import BINS, EMPTY, MINS, pack_ends
from monitor.training.corpus import Turn, turns


@pytest.fixture(scope="module")
def rows() -> list[Turn]:
    return turns()


def word(before: str, after: str, action: str | None = None) -> str | None:
    return corrects(signature(before), signature(after), after, action)


def share(rows: list[Turn]) -> float:
    return sum(word(turn.previous or "", turn.text) is not None for turn in rows) / len(rows)


def test_feedback_in_the_measured_half_is_found_as_often_as_measured(rows: list[Turn]) -> None:
    assert share([turn for turn in rows if turn.label == "feedback" and not turn.tuning]) >= 0.78


def test_random_dialogs_raise_next_to_no_false_alarm(rows: list[Turn]) -> None:
    assert share([turn for turn in rows if turn.kind == "random_dialog"]) <= 0.005


def test_hard_negatives_are_mostly_left_alone(rows: list[Turn]) -> None:
    assert share([turn for turn in rows if turn.kind == "filter_flagged" and turn.label == "none"]) <= 0.04


@pytest.mark.parametrize(
    "text",
    [
        "I didn't mean that",
        "I didn’t mean that",
        "That's not what I asked.",
        "NO, I SAID BLUE",
        "you're wrong",
        "No, that is incorrect.",
        "I asked for JSON, not prose.",
        "You forgot the date.",
        "Still not working, same error",
        "you misunderstood me",
        "What are you talking about?",
        "that doesnt make any sense",
        "Please try again.",
        "huh?",
        "Great effort. But you didn't answer my question",
    ],
)
def test_a_correction_phrase_is_noticed(text: str) -> None:
    assert word("name three rivers in France", text) == "phrase"


@pytest.mark.parametrize(
    "text",
    [
        "What does this error mean?",
        "Thanks, that's right",
        "Instead could it be in London?",
        "How do I fix this bug in my code?",
        "Write a story in which a man says you are wrong",
        "make it shorter",
        "No thanks, that is all.",
        "You are an assistant. You do not use emojis.",
        "Are you sure it is safe to eat raw eggs?",
        "",
    ],
)
def test_an_ordinary_turn_is_no_correction(text: str) -> None:
    assert word("name three rivers in France", text) is None


def test_a_phrase_far_inside_a_long_turn_is_not_taken_as_meant() -> None:
    assert not says_so("Summarize this chat. " * 20 + "You forgot the date.")


def test_buttons_count_before_words() -> None:
    assert word("name three rivers", "name three rivers", "regenerate") == "regenerate"
    assert word("name three rivers", "something else entirely", "edit") == "edit"


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("List three rivers in France", "list THREE rivers, in France!!", "repeated"),
        ("Can I get the price range for Curry Prince?", "What is the price range for the Curry Prince?", "rephrased"),
        ("Show sales of store 12 by month", "Show sales of store 13 by month", None),
        ("What is the weather in Paris tomorrow?", "What is the weather in Rome tomorrow?", None),
        ("Show me the cheapest flights to Rome", "I want to see the cheapest flights to Rome please", "rephrased"),
        ("Write a report on coal, steel, ships, ports, rail and canals", "Write a report on coal", None),
        ("yes", "yes", None),
        ("go on", "go on", None),
        ("翻译成法文我要一杯咖啡", "翻译成法文我要一杯咖啡", "repeated"),
        ("", "", None),
    ],
)
def test_repeated_and_rephrased_prompts_are_told_from_new_ones(before: str, after: str, expected: str | None) -> None:
    assert word(before, after) == expected


def test_one_template_with_another_filling_is_a_new_request(rows: list[Turn]) -> None:
    for length in (100, 300, 1500, 10_000):
        template = " ".join(turn.text for turn in rows[::7])[:length]
        assert word(template + " river bank flood", template + " cotton opera garden") is None
        assert word(template + " river bank flood", template + " river bank flood") == "repeated"


def test_without_a_remembered_turn_only_words_and_buttons_count() -> None:
    text = "name three rivers in France"
    assert corrects(None, signature(text), text, None) is None
    assert corrects(None, signature("you are wrong"), "you are wrong", None) == "phrase"


def test_signatures_are_the_same_alone_and_in_any_batch(rows: list[Turn]) -> None:
    texts = [turn.text for turn in rows] + ["", "a" * 50_000, "\ud800", "é" * 5_000]
    random.Random(5).shuffle(texts)
    alone = [signature(text, key=9).tobytes() for text in texts]
    for size in (13, 512, len(texts)):
        batches = [signatures(texts[at : at + size], key=9) for at in range(0, len(texts), size)]
        assert [row.tobytes() for row in np.concatenate(batches)] == alone


def test_a_signature_is_the_same_in_another_process() -> None:
    program = "from monitor.signals.correction import signature; print(signature('Wie geht’s?', 7).tobytes().hex())"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == signature("Wie geht’s?", 7).tobytes().hex()


def test_stored_signatures_stay_comparable() -> None:
    assert signature("List three rivers in France", 7).tobytes()[:12].hex() == "a2437686793f451005000000"


def test_a_signature_is_small() -> None:
    assert signature("List three rivers in France").nbytes <= 160


def test_other_keys_make_unrelated_signatures(rows: list[Turn]) -> None:
    text = " ".join(turn.text for turn in rows[:300])
    one, other = (signatures([text], key)[0] for key in (1, 2))
    assert not np.array_equal(one[:4], other[:4])
    assert np.count_nonzero((one[MINS:] == other[MINS:]) & (one[MINS:] != EMPTY)) <= BINS // 16


def test_of_a_long_prompt_only_both_ends_and_the_length_are_read(rows: list[Turn]) -> None:
    long = " ".join(turn.text for turn in rows)[:16_000]
    middle = long[:6000] + "x" * 100 + long[6100:]
    assert (signature(middle) == signature(long)).all()
    for other in ("x" + long[1:], long[:-1] + "x", long[:6000] + long[6001:]):
        assert (signature(other) != signature(long)).any()
    buffer, _ = pack_ends([long], END)
    assert len(buffer) <= 2 * END + 32


def test_every_phrase_is_a_pattern_of_its_own() -> None:
    bank = patterns()
    assert len(set(bank)) == len(bank) > 40
    assert not any(re2.compile(f"(?i){pattern}").search("") for pattern in bank)


def test_the_definition_names_its_horizon_and_its_phrases() -> None:
    assert definition(600.0) == DEFINITION
    assert definition(60.0).digest != DEFINITION.digest
    assert DEFINITION.cells == ("served", "corrected", "not_observed")
    assert DEFINITION.yes == ("corrected",)
