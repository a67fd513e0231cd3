"""The plug-in point for a team's own checks of an output."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from monitor.errors import PlanError
from monitor.model import Definition, Event, Output
from monitor.signals.columns import Columns
from monitor.signals.family import Cells, one_by_one, sealed

OK, BAD, NO_CONTENT, NOT_ASKED, BROKEN = range(5)
_CELLS = ("ok", "bad", "no_content", "not_asked", "broken")


class Validator(Protocol):
    """A team's check. `valid` is True, False, or None where it does not apply; it must depend on nothing else.

    A whole number `version`, if there is one, is raised when the check's meaning changes: that starts a new series.
    """

    @property
    def name(self) -> str: ...

    def valid(self, event: Event, output: Output) -> bool | None: ...


_REGISTERED: dict[str, Validator] = {}


def register(validator: Validator) -> None:
    """Makes a validator known by its name, for every watch of this process made from now on."""
    _REGISTERED[validator.name] = validator


def registered(name: str) -> Validator:
    """The validator of that name; `PlanError` if none was registered."""
    try:
        return _REGISTERED[name]
    except KeyError:
        raise PlanError(f"no validator is called {name!r}", key="validators") from None


class Validators:
    """One signal per validator, `validator:NAME`. One that raises is counted as `broken`, never as ok or bad."""

    def __init__(self, validators: tuple[Validator, ...]) -> None:
        self.validators = validators
        self.definitions: tuple[Definition, ...] = tuple(
            sealed(
                Definition(
                    f"validator:{validator.name}",
                    "validators",
                    _CELLS,
                    yes=("bad",),
                    no=("ok",),
                    version=int(getattr(validator, "version", 1)),
                )
            )
            for validator in validators
        )

    def judge(self, event: Event, output: Output | None) -> tuple[int, ...]:
        if output is None or (output.text is None and not output.tool_calls):
            return (NO_CONTENT,) * len(self.validators)
        return tuple(_cell(validator, event, output) for validator in self.validators)

    def judge_all(self, columns: Columns) -> Cells:
        if not self.validators:  # as mostly: not one step an event
            return np.empty((len(columns), 0), dtype=np.int16)
        return one_by_one(self, columns.events)


def _cell(validator: Validator, event: Event, output: Output) -> int:
    try:
        valid = validator.valid(event, output)
    except Exception:  # code that is not ours: whatever it raises, the stream goes on
        return BROKEN
    if valid is None:
        return NOT_ASKED
    return OK if valid else BAD
