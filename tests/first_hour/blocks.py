"""The page as blocks: prose, commands with what they printed, and changes to files."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

_FENCED = re.compile(r"^```(console|diff)\n(.*?)^```\n", re.DOTALL | re.MULTILINE)
_PROMPT = "$ "


@dataclass(frozen=True)
class Prose:
    """Text that nobody executes."""

    text: str


@dataclass(frozen=True)
class Command:
    """One command line and what it printed, an exit code other than 0 included."""

    line: str
    printed: str = ""


@dataclass(frozen=True)
class Session:
    """Commands that are shown together."""

    commands: tuple[Command, ...]

    @property
    def text(self) -> str:
        body = "".join(f"{_PROMPT}{command.line}\n{command.printed}" for command in self.commands)
        return f"```console\n{body}```\n"


@dataclass(frozen=True)
class Change:
    """A change to a file, as `diff -u` shows it."""

    body: str

    @property
    def text(self) -> str:
        return f"```diff\n{self.body}```\n"

    @property
    def file(self) -> str:
        """The file's name."""
        return re.findall(r"^\+\+\+ (\S+)$", self.body, re.MULTILINE)[0]

    def applied(self, before: str) -> str:
        """The file's text after it. `ValueError` for a hunk whose lines are not there, or more than once."""
        for hunk in re.split(r"^@@.*\n", self.body, flags=re.MULTILINE)[1:]:
            lines = hunk.splitlines(keepends=True)
            old, new = (_kept(lines, gone) for gone in "+-")
            if before.count(old) != 1:
                raise ValueError(f"{self.file} holds these lines {before.count(old)} times:\n{old}")
            before = before.replace(old, new)
        return before


Block = Prose | Session | Change


def parse(text: str) -> tuple[Block, ...]:
    """A page's blocks in order; their texts, joined, are the page."""
    found: list[Block] = []
    end = 0
    for match in _FENCED.finditer(text):
        found.append(Prose(text[end : match.start()]))
        found.append(Change(match[2]) if match[1] == "diff" else _session(match[2]))
        end = match.end()
    return (*found, Prose(text[end:]))


def _session(body: str) -> Session:
    commands: list[Command] = []
    for line in body.splitlines(keepends=True):
        if line.startswith(_PROMPT):
            commands.append(Command(line.removeprefix(_PROMPT).rstrip("\n")))
        else:
            commands[-1] = replace(commands[-1], printed=commands[-1].printed + line)
    return Session(tuple(commands))


def _kept(lines: list[str], gone: str) -> str:
    """One side of a hunk: its lines without those of the other side."""
    return "".join(line[1:] or "\n" for line in lines if line[0] != gone)
