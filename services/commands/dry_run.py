"""What `quantwatch ingest --dry-run` prints: the survey of a log, as tables for people or as JSON for machines."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from monitor.survey.clocks import span
from monitor.survey.survey import Survey
from services.commands.table import line, table
from services.ingest.extract import Stretches, line_number
from services.words import percent, rounded

_WIDEST = 100
_TIME = "%Y-%m-%d %H:%M:%S"


def for_machines(files: Sequence[Stretches], survey: Survey) -> dict[str, Any]:
    """The survey as JSON; times are milliseconds since the epoch, positions bytes."""
    said: dict[str, Any] = msgspec.to_builtins(survey)
    said["problems"] = [
        {**problem, **_place(problem["source"], problem["position"], files)} for problem in said["problems"]
    ]
    return {"files": [_file(each) for each in files], **said}


def for_people(files: Sequence[Stretches], survey: Survey) -> Iterator[str]:
    """The survey as blocks of text."""
    yield "nothing was written: this is what a sample of the log shows"
    yield "\n".join([*map(_file_line, files), *_counts(survey)])
    if survey.doubts:
        yield _list("look at this first:", survey.doubts)
    if survey.requests:
        yield table(("deployment", "variant", "share", "from (UTC)", "to (UTC)"), list(_variants(survey)))
        yield table(("field", "in", "from, or why not"), list(_fields(survey)))
        yield table(("signal", "runs on", "says yes", "gates", "why not on the rest"), list(_signals(survey)))
        yield "\n".join(_replays(survey))
    if survey.problems:
        yield _list(
            f"the first of {sum(survey.refused.values()):,} lines that cannot be taken:", _problems(files, survey)
        )


def _percent(count: float, of: float) -> str:
    return percent(count / of) if of else "-"


def _file(each: Stretches) -> dict[str, Any]:
    return {
        "file": str(each.path),
        "bytes": each.bytes,
        "records_read": each.records,
        "records_about": round(each.about),
        "whole": each.whole,
    }


def _file_line(each: Stretches) -> str:
    read = "all read" if each.whole else f"{each.records:,} read: the first, some of the middle, the last"
    about = "" if each.whole else "about "
    count = f"{each.records:,}" if each.whole else rounded(each.about)
    return line(f"{each.path}: {each.bytes:,} bytes, {about}{count} lines, {read}")


def _counts(survey: Survey) -> Iterator[str]:
    kinds = ", ".join(f"{name} {_percent(n, survey.lines)}" for name, n in survey.dialects.items())
    yield f"format: {kinds}"
    refused = sum(survey.refused.values())
    taken = f"{survey.accepted:,} of {survey.lines:,} lines"
    yield f"would be taken: {taken}; copies {survey.duplicates:,}, quarantined {refused:,}"
    yield from (f"  {reason}: {count:,}" for reason, count in survey.refused.items())
    where = survey.spacing
    if where is not None:
        pace = "" if where.per_hour is None else f", about {rounded(where.per_hour)} requests an hour"
        length = span(where.last - where.first)
        yield f"time: {moment(where.first)} to {moment(where.last)} UTC ({length}){pace}"
        if where.lag:
            yield f"order: 99 of 100 lines lie at most {span(where.lag)} behind the newest before them"


def moment(milliseconds: int) -> str:
    """A time for people, in UTC."""
    return datetime.fromtimestamp(milliseconds / 1000, UTC).strftime(_TIME)


def _variants(survey: Survey) -> Iterator[tuple[str, ...]]:
    for each in survey.variants:
        share = _percent(each.requests, survey.requests)
        yield each.deployment, each.variant, share, moment(each.first), moment(each.last)


def _fields(survey: Survey) -> Iterator[tuple[str, ...]]:
    for each in survey.fields:
        places = ", ".join(each.origins)
        rest = f"{places}; else {each.missing}" if places and each.missing else places or each.missing
        yield each.field, _percent(each.filled, each.requests), _short(rest)


def _short(text: str) -> str:
    """A cell that leaves the table readable; machines get all of it."""
    return text if len(text) <= _WIDEST else text[: _WIDEST - 2].rsplit(",", 1)[0] + ", …"


def _signals(survey: Survey) -> Iterator[tuple[str, ...]]:
    for each in survey.signals:
        runs = _percent(each.runs, each.requests) if each.runs else "no"
        said = _percent(each.yes, each.runs) if each.runs and each.yes is not None else ""
        yield each.signal, runs, said, "yes" if each.gates else "", each.lacks


def _replays(survey: Survey) -> Iterator[str]:
    found = survey.replays
    yield f"replayable: {_percent(found.replayable, found.requests)} of the requests"
    yield from (f"  {_percent(count, found.requests)} not: {reason}" for reason, count in found.reasons.items())
    if found.imported:
        yield f"  {_percent(found.imported, found.requests)} bring the reference's answer along and need no replay"
    yield from (line(f"  {sentence}") for sentence in survey.hindrances)


def _problems(files: Sequence[Stretches], survey: Survey) -> Iterator[str]:
    for each in survey.problems:
        place = _place(each.source, each.position, files)
        detail = f": {each.detail}" if each.detail else ""
        yield f"{place['file']}, line {place['line']} (byte {each.position:,}): {each.reason}{detail}"


def _place(source: str, position: int, files: Sequence[Stretches]) -> dict[str, Any]:
    path = next(each.path for each in files if each.name == source)
    return {"file": str(path), "line": line_number(path, position)}


def _list(title: str, sentences: Sequence[str] | Iterator[str]) -> str:
    return "\n".join([title, *(line(f"  {sentence}") for sentence in sentences)])
