"""A few stretches of a log for a look at it: its beginning, some of its middle, and its end. The same every time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from monitor.run import Run
from services.errors import UsageError
from services.ingest.jsonl import JsonlFile

FIRST: Final = 6_000
MIDDLE: Final = 1_000
LAST: Final = 1_000
LEAST: Final = 200
"""Lines that are read of the beginning, the middle and the end; of several logs each gets its part of these."""

_LOOK: Final = 64 * 1024
_TAIL: Final = 4 * 1024 * 1024
_WIDE: Final = "UTF-16 text"
_KINDS: Final = (
    (b"\x1f\x8b", "gzip"),
    (b"(\xb5/\xfd", "zstd"),
    (b"BZh", "bzip2"),
    (b"\xfd7zXZ", "xz"),
    (b"PK\x03\x04", "zip"),
    (b"PAR1", "Parquet"),
    (b"SQLite format 3", "SQLite"),
    (b"\xff\xfe", _WIDE),
    (b"\xfe\xff", _WIDE),
)


@dataclass(frozen=True, slots=True)
class Stretches:
    """What was read of one file. `about` is how many records the whole file holds, exact where all were read."""

    path: Path
    name: str
    bytes: int
    runs: tuple[Run, ...]
    about: float
    whole: bool

    @property
    def records(self) -> int:
        """How many records were read."""
        return sum(len(run.records) for run in self.runs)


def stretches(files: Sequence[str], clock: Callable[[], int]) -> list[Stretches]:
    """The stretches of several files; UsageError for one that cannot be read, is empty, or is no text."""
    paths = [Path(name) for name in files]
    for path in paths:
        refuse_no_text(path)
    return [_of_file(path, clock, len(paths)) for path in paths]


def refuse_no_text(path: Path) -> None:
    """Raises `UsageError` for what is no log of text, with what it seems to be."""
    head = _head(path)
    if not head.strip():
        raise UsageError(f"{path}: is empty")
    if kind := _kind(head):
        raise UsageError(f"{path}: is {kind}, not lines of JSON in UTF-8")
    if b"\0" in head:
        raise UsageError(f"{path}: is binary, not lines of JSON in UTF-8")


def refuse_no_log(path: Path) -> None:
    """The same of what cannot be a log at all: an empty one can, and so can one in which lines are broken."""
    head = _head(path)
    kind = _kind(head)
    if kind in (None, _WIDE):  # may be the first bytes of a broken line
        lines = any(line.lstrip().startswith((b'{"', b'{ "')) for line in head.split(b"\n"))
        kind = (kind or "binary") if b"\0" in head and not lines else None
    if kind:
        raise UsageError(f"{path}: is {kind}, not lines of JSON in UTF-8")


def _head(path: Path) -> bytes:
    try:
        if path.is_dir():
            raise UsageError(f"{path}: is a directory")
        with path.open("rb") as file:
            return file.read(_LOOK)
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror or 'cannot be read'}") from None


def _kind(head: bytes) -> str | None:
    return next((kind for magic, kind in _KINDS if head.startswith(magic)), None)


def line_number(path: Path, position: int) -> int:
    """The line, from 1 on, in which a byte of a file stands."""
    number, left = 1, position
    with path.open("rb") as file:
        while left > 0 and (block := file.read(min(left, 1 << 20))):
            number += block.count(b"\n")
            left -= len(block)
    return number


def _of_file(path: Path, clock: Callable[[], int], files: int) -> Stretches:
    source = JsonlFile(path, clock)
    try:
        size = source.size
        runs = [_first(next(source.runs(0)).listed(), _part(FIRST, files))]
        if runs[0].end < size:
            middle, tail = max(runs[0].end, size // 2), size - _TAIL
            runs.append(_first(next(source.runs(_line_from(path, middle))).listed(), _part(MIDDLE, files)))
            rest = source.runs(_line_from(path, max(runs[1].end, tail)))
            runs.append(_last([run.listed() for run in rest], _part(LAST, files)))
    finally:
        source.close()
    read, records = sum(run.end - run.start for run in runs), sum(len(run.records) for run in runs)
    whole = read >= size
    about = float(records) if whole else records * size / max(1, read)
    return Stretches(path, source.name, size, tuple(run for run in runs if run.records), about, whole)


def _part(lines: int, files: int) -> int:
    return max(LEAST, lines // files)


def _first(run: Run, count: int) -> Run:
    """The first records of a run."""
    if len(run.records) <= count:
        return run
    end = run.positions[count]
    return replace(run, end=end, positions=run.positions[:count], records=run.records[:count], drained=False)


def _last(runs: Sequence[Run], count: int) -> Run:
    """The last records of consecutive runs, as one run."""
    positions = [position for run in runs for position in run.positions][-count:]
    records = [record for run in runs for record in run.records][-count:]
    start = positions[0] if positions else runs[-1].end
    return replace(runs[-1], start=start, positions=positions, records=records)


def _line_from(path: Path, offset: int) -> int:
    """Where the first line at or after an offset begins."""
    with path.open("rb") as file:
        file.seek(offset - 1)
        if file.read(1) != b"\n":
            while (rest := file.readline(1 << 20)) and not rest.endswith(b"\n"):
                pass
        return file.tell()
