"""The log says what happened and where, and nothing that a request said."""

from __future__ import annotations

import json
import logging
import sys

import pytest

from services.logs import JsonLines, Lines

MARK = "xylophone-4711"


def record() -> logging.LogRecord:
    try:
        raise KeyError(MARK)
    except KeyError:
        return logging.LogRecord(
            "services.x", logging.ERROR, __file__, 1, "stopped by %s", ("KeyError",), sys.exc_info()
        )


@pytest.mark.parametrize("form", [Lines("%(name)s %(message)s"), JsonLines()], ids=["people", "machines"])
def test_an_error_shows_its_type_and_way_and_not_its_words(form: logging.Formatter) -> None:
    text = form.format(record())
    assert "stopped by KeyError" in text
    assert "test_logs.py" in text
    assert MARK not in text


def test_lines_for_machines_are_one_object_each() -> None:
    said = json.loads(JsonLines().format(record()))
    assert (said["level"], said["logger"], said["message"]) == ("error", "services.x", "stopped by KeyError")
    assert said["error"].endswith("KeyError")
    assert said["time"].endswith("+00:00")
