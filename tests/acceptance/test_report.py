"""The document of the real pairs can be written anew."""

from __future__ import annotations

import pytest

from tests.acceptance.report import DOCUMENT, TABLES, replaced


def test_the_document_has_a_place_for_every_table() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    for marker in TABLES:
        assert replaced(text, marker, ["new"]).count(f"<!-- {marker} -->\nnew\n<!-- /{marker} -->") == 1
    with pytest.raises(ValueError, match="no place for weather"):
        replaced(text, "weather", [])
