"""Whatever a log calls things, they come back out of the YAML as they were."""

from __future__ import annotations

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from services.firstplan.yamltext import Page, comment, flow, scalar

WORDS = [
    "yes",
    "null",
    "~",
    "1e5",
    "0x1f",
    "2026-11-24",
    "<<",
    "=",
    "-",
    "'",
    '"',
    "{",
    "&x",
    "*x",
    "!t",
    "%a",
    "@a",
    "`a`",
    "---",
    "...",
    "?",
    ":",
    "|",
    ">",
    "😀",
]
HOSTILE = st.sampled_from(
    [*WORDS, "- a", "a: b", "a #b", "a\nb: c", "\u2028", "\x85", "\x07", "😀" * 256, "\ufeff", " a ", "\t"]
)
NAMES = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=256) | HOSTILE
VALUES = st.recursive(
    NAMES | st.booleans() | st.none() | st.integers() | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=6,
)


@given(NAMES)
def test_a_name_comes_back(name: str) -> None:
    text = scalar(name)

    assert yaml.safe_load(text) == name
    assert len(text.splitlines()) == 1


@given(VALUES)
def test_a_value_on_one_line_comes_back(value: object) -> None:
    text = flow(value)

    assert yaml.safe_load(text) == value
    assert len(text.splitlines()) == 1


@settings(max_examples=200)
@given(st.dictionaries(NAMES, NAMES, min_size=1, max_size=4), NAMES)
def test_a_page_holds_its_keys_whatever_the_comments_say(names: dict[str, str], remark: str) -> None:
    page = Page()
    page.say(0, remark, f"* {remark}")
    page.put(0, "top:", remark)
    for key, value in names.items():
        page.key(1, key, remark)
        page.blank(2, "blank: 1", remark)
        page.put(2, f"inner: {scalar(value)}", remark)
    page.space()

    assert yaml.safe_load(page.text()) == {"top": {key: {"inner": value} for key, value in names.items()}}


@given(NAMES)
def test_a_comment_is_one_line_that_moves_no_cursor(text: str) -> None:
    said = comment(text)

    assert len(said.splitlines()) <= 1
    assert said.isprintable()


def test_plain_names_stay_plain() -> None:
    assert [scalar(name) for name in ("acme-8b-awq", "llama.Q4_K_M", "org/model")] == [
        "acme-8b-awq",
        "llama.Q4_K_M",
        "org/model",
    ]
    assert scalar("on") == '"on"'


def test_long_comments_are_broken_and_items_stay_items() -> None:
    page = Page()
    page.say(2, "word " * 60, "* " + "word " * 60)

    lines = page.text().splitlines()
    assert len(lines) > 4
    assert all(len(line) <= 120 for line in lines)
    assert {line[:8] for line in lines} == {"    # wo", "    # * ", "    #   "}
