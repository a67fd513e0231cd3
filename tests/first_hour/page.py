"""docs/first-hour.md and docs/numbers.md, executed: `python -m tests.first_hour.page` writes their outputs anew.

The second page asks about what the first one left behind.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from tests.first_hour.blocks import Block, Change, Command, Session, parse
from tests.first_hour.shell import ROOT, Shell

PAGES = tuple(ROOT / "docs" / name for name in ("first-hour.md", "numbers.md"))
_CLOCKED = (
    (r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", "TIME"),
    (r"\d+ (s|min) ago", "AGO"),
    (r"\b1[78]\d{8}\b", "SECONDS"),
    (r"\b[0-9a-f]{16}\b", "HASH"),
    (r"[\d.]+ GiB free", "ROOM free"),
    (r"files in /\S+", "files in FOLDER"),
    (r"Python [\d.]+", "Python"),
    (r"makes about [\d,]+ replays", "makes PACE replays"),
)
"""What depends on the clock or the machine, and what it is compared as."""


def normal(text: str) -> str:
    """The text without what depends on the clock or the machine."""
    for pattern, word in _CLOCKED:
        text = re.sub(pattern, word, text)
    return re.sub(r"\b\d+\.\d{7,}", lambda found: f"{float(found[0]):.5f}", text)


def walk(shell: Shell, blocks: tuple[Block, ...]) -> Iterator[Block]:
    """The blocks with what their commands print now, one after the other."""
    for block in blocks:
        if isinstance(block, Session):
            yield Session(tuple(_again(shell, command) for command in block.commands))
            continue
        if isinstance(block, Change):
            shell.change(block)
        yield block


def _again(shell: Shell, command: Command) -> Command:
    return replace(command, printed=shell.run(command))


def main() -> None:
    """Writes the pages anew."""
    with tempfile.TemporaryDirectory() as folder, Shell(Path(folder)) as shell:
        found = [tuple(walk(shell, parse(page.read_text(encoding="utf-8")))) for page in PAGES]
    for page, blocks in zip(PAGES, found, strict=True):
        page.write_text("".join(block.text for block in blocks), encoding="utf-8")


if __name__ == "__main__":
    main()
