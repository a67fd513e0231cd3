"""The parts of the docs that are generated: `python -m tests.unit.project.helptexts` writes them, a test checks them.

A generated part stands between `<!-- generated: NAME -->` and `<!-- end -->`.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import click
import msgspec

from monitor.wire import schema
from services.cli import COMMANDS, quantwatch
from tests.unit.project import scaling

ROOT = Path(__file__).parents[3]
WIDTH = 100
_PART = re.compile(r"(<!-- generated: (?P<name>[a-z ]+) -->\n)(?P<body>.*?)(<!-- end -->)", re.DOTALL)


def commands() -> str:
    """The help text of every command and of every command under it."""
    found = []
    for name, module in COMMANDS.items():
        command: click.Command = importlib.import_module(f"services.commands.{module}").command
        found += [_section(title, each) for title, each in _tree(f"quantwatch {name}", command)]
    return "\n".join([_section("quantwatch", quantwatch), *found])


def wire_schema(kind: str) -> str:
    """What `quantwatch schema KIND` prints, as a block of code."""
    text = msgspec.json.format(msgspec.json.encode(schema(kind)), indent=2).decode()
    return f"```json\n{text}\n```\n"


PARTS: dict[str, tuple[str, Callable[[], str]]] = {
    "commands": ("docs/commands.md", commands),
    "event schema": ("docs/events.md", lambda: wire_schema("event")),
    "one worker": ("docs/scaling.md", scaling.measured),
    "a hundred thousand": ("docs/scaling.md", scaling.reckoned),
}


def rewritten(text: str) -> str:
    """A document with its generated parts made anew."""

    def fill(match: re.Match[str]) -> str:
        return f"{match[1]}\n{PARTS[match['name']][1]()}\n{match[4]}"

    return _PART.sub(fill, text)


def files() -> list[Path]:
    """The documents that have generated parts."""
    return sorted({ROOT / file for file, _ in PARTS.values()})


def _tree(title: str, command: click.Command) -> Iterator[tuple[str, click.Command]]:
    yield title, command
    if isinstance(command, click.Group):
        for name, child in command.commands.items():
            yield from _tree(f"{title} {name}", child)


def _section(title: str, command: click.Command) -> str:
    context = click.Context(command, info_name=title, terminal_width=WIDTH, help_option_names=["-h", "--help"])
    text = "\n".join(line.rstrip() for line in command.get_help(context).splitlines())
    return f"## `{title}`\n\n```\n{text}\n```\n"


if __name__ == "__main__":
    for file in files():
        file.write_text(rewritten(file.read_text(encoding="utf-8")), encoding="utf-8")
