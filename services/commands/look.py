"""A look at some logs: what the dry run and the first plan have in common. Opens no database and writes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from monitor.plan import Plan
from monitor.survey.doubts import embeddings
from monitor.survey.extract import Extract
from monitor.survey.survey import Survey, extract_of, survey
from services.commands.options import clock
from services.errors import UsageError
from services.ingest.extract import Stretches, stretches


@dataclass(frozen=True, slots=True)
class Look:
    """What was read of the files, and what it shows."""

    files: tuple[Stretches, ...]
    extract: Extract
    survey: Survey


def look_at(names: Sequence[str], plan: Plan) -> Look:
    """Reads stretches of the files and surveys them under the plan; `UsageError` for a file that is no log of chats."""
    files = tuple(stretches(names, clock))
    runs = [run for each in files for run in each.runs]
    extract = extract_of(runs, plan, sum(each.about for each in files))
    for each in files:
        if embeddings([line for line in extract.lines if line.source == each.name]):
            raise UsageError(f"{each.path}: calls of an embeddings endpoint, without prompts and answers to watch")
    return Look(files, extract, survey(extract, runs, plan))
