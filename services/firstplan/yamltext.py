"""Lines of YAML with comments, in which nothing that a log says can become anything but a name."""

from __future__ import annotations

import re
import textwrap
from typing import Any, Final

import yaml

_PLAIN: Final = re.compile(r"[A-Za-z][A-Za-z0-9_./-]*")
_WIDTH: Final = 116
_WHOLE_WORDS: Final[dict[str, Any]] = {"break_long_words": False, "break_on_hyphens": False}
_LONGEST_KEY: Final = 120
"""YAML looks no further than 1,024 characters for the colon behind a key; an escape is up to ten characters."""


def scalar(value: Any) -> str:
    """A value as YAML on one line: text plain where that is surely the same text, else in double quotes."""
    if isinstance(value, str):
        if _PLAIN.fullmatch(value) and yaml.safe_load(value) == value:
            return value
        return _dumped(value, default_style='"')
    if isinstance(value, float) and value == int(value):
        return str(int(value))
    return _dumped(value).removesuffix("...").strip()


def flow(value: Any) -> str:
    """A value on one line, mappings and lists in braces and brackets."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_flow_key(key)}: {flow(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(flow, value)) + "]"
    return scalar(value)


def comment(text: str) -> str:
    """Text that may stand behind a `#`: on one line, with nothing that YAML or a terminal would take amiss."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


class Page:
    """Lines of YAML, indented by depth."""

    def __init__(self) -> None:
        self._lines: list[str] = []

    def say(self, depth: int, *paragraphs: str) -> None:
        """Comments, each broken into lines where it is long; what begins with a star is an item of a list."""
        for paragraph in paragraphs:
            text = comment(paragraph)
            head = "  " * depth + "# "
            inner = "  " if text.startswith("* ") else ""
            broken = textwrap.wrap(text, _WIDTH - len(head), subsequent_indent=inner, **_WHOLE_WORDS)
            self._lines += [(head + line).rstrip() for line in broken or [""]]

    def put(self, depth: int, text: str, why: str = "") -> None:
        """A line that is YAML already, with a comment behind it."""
        self._lines.append("  " * depth + text + (f"  # {comment(why)}" if why else ""))

    def blank(self, depth: int, text: str, why: str = "") -> None:
        """A line that is YAML already, commented out, for a person to fill in."""
        self._lines.append("  " * depth + f"# {text}" + (f"  # {comment(why)}" if why else ""))

    def key(self, depth: int, name: str, why: str = "") -> None:
        """A key whose mapping follows at the next depth."""
        text = scalar(name)
        if len(text) <= _LONGEST_KEY:
            self.put(depth, f"{text}:", why)
        else:
            self.put(depth, f"? {text}", why)
            self.put(depth, ":")

    def space(self) -> None:
        """An empty line."""
        self._lines.append("")

    def text(self) -> str:
        """All lines."""
        return "\n".join(self._lines) + "\n"


def _flow_key(key: str) -> str:
    text = scalar(key)
    return text if len(text) <= _LONGEST_KEY else f"? {text} "


def _dumped(value: Any, **style: Any) -> str:
    text: str = yaml.safe_dump(value, width=10**9, allow_unicode=True, **style)
    return text.strip()
