"""What a check says: one line, and what to mend."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """`warn` is worth a look and stops nothing; `skip` could not be checked or does not apply."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"
    SKIP = "skip"


@dataclass(frozen=True, slots=True)
class Result:
    """One check's answer. `reason` is one line without any text of prompts or outputs; `mend` what to do about it."""

    check: str
    state: State
    reason: str
    mend: str = ""


def ok(check: str, reason: str) -> Result:
    """All is well."""
    return Result(check, State.OK, reason)


def warn(check: str, reason: str, mend: str = "") -> Result:
    """Worth a look."""
    return Result(check, State.WARN, reason, mend)


def fail(check: str, reason: str, mend: str = "") -> Result:
    """It will not work, or cannot be trusted, until this is mended."""
    return Result(check, State.FAIL, reason, mend)


def skip(check: str, reason: str) -> Result:
    """Not checked, and why."""
    return Result(check, State.SKIP, reason)
