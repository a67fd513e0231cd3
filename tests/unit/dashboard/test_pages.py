"""Every page in every state of the world: the sentence is there, nothing breaks, nothing hostile is interpreted."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest
from streamlit.testing.v1.element_tree import Block

from tests.support import fake_api
from tests.unit.dashboard.conftest import Open

PAGES = ("now", "alert", "slices", "pairs")
LITERAL = ("code", "text", "selectbox", "dataframe", "vega_lite_chart")
"""Elements that show their content as it is, letter by letter."""


def said(app: AppTest) -> str:
    """All words on the page, without Markdown escapes."""
    kinds = ("error", "warning", "success", "info", "markdown", "caption", "subheader", "text", "code")
    values = [str(element.value) for kind in kinds for element in app.get(kind)]
    return "\n".join(values).replace("\\", "").replace("\u2060", "")


def leaves(block: Any) -> Iterator[Any]:
    """Every element on the page."""
    for child in block.children.values():
        if isinstance(child, Block):
            yield from leaves(child)
        else:
            yield child


COVERED = {"hostile", "broken", "stale"}
CASES = [(state, page) for state in fake_api.STATES for page in PAGES if state not in COVERED]
"""Every state that the tests below do not open on every page anyway."""


@pytest.mark.parametrize(("state", "page"), CASES)
def test_no_state_of_the_world_breaks_a_page(open_page: Open, state: str, page: str) -> None:
    app = open_page(state, page)

    assert not app.exception
    assert "Traceback" not in said(app)
    assert said(app).strip()


@pytest.mark.parametrize(
    ("state", "tone", "sentence"),
    [
        ("failing", "error", "Roll back int4-g128 to int8-channel (its last verdict was pass)."),
        ("healthy", "success", "Nothing to do: keep int4-g128 serving."),
        (
            "hold",
            "warning",
            "it is neither proven nor failed. schema on strict-json needs 120 more pairs, about 14 min.",
        ),
        ("no_reference", "warning", "Nothing can be proven: the plan names no reference build."),
        ("unsealed", "warning", "Nothing to judge yet: no request has arrived."),
        ("stale", "warning", "Look at the pipeline: the verdict about int4-g128 rests on old data."),
    ],
)
def test_now_says_first_what_to_do(open_page: Open, state: str, tone: str, sentence: str) -> None:
    app = open_page(state)

    first = app.get(tone)[-1].value.replace("\\", "").replace("\u2060", "")
    assert sentence in first


def test_stale_data_is_loud_on_every_page_that_shows_evidence(open_page: Open) -> None:
    for page in ("now", "slices", "pairs"):
        app = open_page("stale", page)
        assert not app.exception
        boxes = [box.value for box in app.error]
        assert any("STALE" in box and "3 h ago" in box for box in boxes), page


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize(("state", "why"), [("down", "connection refused or lost"), ("broken", "status 500")])
def test_a_missing_api_is_one_clear_box(open_page: Open, page: str, state: str, why: str) -> None:
    app = open_page(state, page)

    assert not app.exception
    assert "No answer from quantwatch." in said(app)
    assert why in said(app)


def test_an_alert_page_explains_and_recommends(open_page: Open) -> None:
    words = said(open_page("failing", "alert", alert="al-0117"))

    assert "Roll back int4-g128 to int8-channel" in words
    assert "The cause is quantization: it accounts for 10.8 points worse (7.8 to 13.8)." in words
    assert "first difference at character 50" in words
    assert "schema: bad" in words


def test_an_unknown_alert_in_the_address_is_said_and_the_newest_is_shown(open_page: Open) -> None:
    words = said(open_page("failing", "alert", alert="no-such"))

    assert "The alert in the address is not known" in words
    assert "schema got worse by 12.3 points" in words


def test_acknowledging_needs_a_name_and_reaches_the_api(open_page: Open) -> None:
    app = open_page("failing", "alert", alert="al-0118")
    app.button[0].click().run()
    assert "Enter your name first" in said(app)

    app.text_input(key="acting_as").set_value("Ada").run()
    app.button[0].click().run()

    assert "acknowledged" in said(app)
    assert not app.exception


def test_filters_are_part_of_the_address(open_page: Open) -> None:
    app = open_page("failing", "slices", signal="schema")

    assert app.selectbox(key="signal").value == "schema"
    assert set(app.dataframe[0].value["Signal"]) == {"schema"}


def test_undecided_checks_say_what_they_need(open_page: Open) -> None:
    needs = open_page("failing", "slices").dataframe[0].value["Needs"]

    assert "120 more pairs, about 14 min" in set(needs)


def test_texts_that_are_not_kept_are_said_to_be_so(open_page: Open) -> None:
    app = open_page("no_text", "pairs")

    assert "The texts of this pair are not kept" in said(app)
    assert not app.code


@pytest.mark.parametrize("page", PAGES)
def test_hostile_text_is_never_markdown_or_html(open_page: Open, page: str) -> None:
    app = open_page("hostile", page)
    assert not app.exception
    seen = 0
    for element in leaves(app.main):
        proto = str(element.proto)
        assert "allow_html: true" not in proto
        assert element.type != "html"
        seen += "script" in proto
        if element.type not in LITERAL:
            for raw in ("<script>", "**bold**", "$x^2$", "[a](", ":smile:", "<img", "www.", "\u202e"):
                assert raw not in proto, element.type
    assert seen
