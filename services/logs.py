"""The log of a process that stays: lines on standard error, as text or as JSON, never with text of a request."""

from __future__ import annotations

import logging
import traceback
from datetime import UTC, datetime
from types import TracebackType
from typing import Final

import msgspec

_PLAIN: Final = "%(asctime)s %(name)s %(message)s"

_Raised = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]


def set_up(as_json: bool) -> None:
    """Warnings and worse of this process go to standard error from now on; as JSON, one object a line."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonLines() if as_json else Lines(_PLAIN))
    logging.basicConfig(level=logging.WARNING, handlers=[handler])


class Lines(logging.Formatter):
    """Lines for people. Of an error its type and its way are shown, not what it says: that may repeat a request."""

    def formatException(self, ei: _Raised) -> str:  # noqa: N802 (logging's name)
        kind, _, way = ei
        frames = "".join(traceback.format_tb(way)).rstrip()
        return f"{frames}\n{kind.__name__ if kind else ''}".strip()


class JsonLines(Lines):
    """Lines for machines: time, level, logger, message and, if there was an error, its type and way."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        return msgspec.json.encode(line).decode()
