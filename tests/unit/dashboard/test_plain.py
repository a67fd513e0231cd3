"""Text from outside stays text."""

from __future__ import annotations

import re
import string

from hypothesis import given, settings
from hypothesis import strategies as st

from dashboard import plain
from dashboard.difference import first_difference


def test_every_markdown_special_is_escaped() -> None:
    assert plain.markdown("a*b") == r"a\*b"
    for character in string.punctuation:
        assert plain.markdown(f"a{character} b") == f"a\\{character} b"


def test_links_emoji_and_arrows_are_broken_up() -> None:
    rendered = plain.markdown("https://a.example www.a.example me@a.example :smile: :material/x: -> 13:25")
    shown = rendered.replace("\\", "")
    for found in ("://", "www", "@a", ":smile:", ":material/x:", "->"):
        assert found not in shown
    assert "13:25" in shown


@settings(deadline=None)
@given(st.text(max_size=600))
def test_nothing_but_escapes_and_joiners_is_added(text: str) -> None:
    rendered = plain.markdown(text, limit=100_000)
    shown = re.sub(r"\\([!-/:-@\[-`{-~])", r"\1", rendered)
    assert shown.replace(plain.JOINER, "") == plain.line(text)


def test_hidden_characters_are_written_out() -> None:
    assert plain.visible("a\u202eb\x00c\n") == "a⟦U+202E⟧b⟦U+0000⟧c\n"
    assert plain.visible("می\u200cخواهم") == "می\u200cخواهم"


def test_a_name_stays_on_its_line() -> None:
    assert plain.name("a\nb\tc") == "a b c"
    assert plain.name("x" * 100, 10) == "x" * 9 + "…"
    assert plain.name("a" + "\u0301" * 50) == "a" + "\u0301" * 3


def test_equal_texts_have_no_difference() -> None:
    assert first_difference("same", "same").position is None


def test_positions_count_from_one() -> None:
    difference = first_difference('{"city": "Paris"}', '{"city": "Lyon"}')
    assert (difference.position, difference.left, difference.right) == (11, 'Paris"}', 'Lyon"}')
    assert first_difference("ab", "abc").position == 3
    assert first_difference("", "x").position == 1


def test_a_letter_keeps_its_marks() -> None:
    assert first_difference("cafe\u0301", "cafe").shared == "caf"


@settings(deadline=None)
@given(st.text(), st.text(), st.text())
def test_what_is_shared_and_what_follows_make_the_texts(start: str, left: str, right: str) -> None:
    difference = first_difference(start + left, start + right)
    assert difference.shared + difference.left == start + left
    assert difference.shared + difference.right == start + right
