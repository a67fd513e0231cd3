"""Regular expressions that an output must or must not match, from the plan."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import numpy as np
import re2

from monitor.errors import PlanError
from monitor.model import Definition, Event, Output
from monitor.plan import PatternRule, Where
from monitor.signals.columns import Columns
from monitor.signals.family import Cells, sealed

OK, BAD, NO_CONTENT, NOT_ASKED = range(4)
_CELLS = ("ok", "bad", "no_content", "not_asked")
_EVERYWHERE = Where()
_MEMORY = 64 << 20

Matches = Callable[[Event, Where], bool]


class Patterns:
    """One signal per rule, `pattern:NAME`, all searched for in one linear pass over the text (RE2).

    `matches` says whether a request is one that the rule's `where` speaks of; others are `not_asked`. An
    expression that RE2 refuses is a `PlanError`, as are two rules of one name.
    """

    def __init__(self, rules: tuple[PatternRule, ...], matches: Matches) -> None:
        self.rules = rules
        self.matches = matches
        self.definitions: tuple[Definition, ...] = tuple(_definition(rule) for rule in rules)
        self._bank = _bank(rules)
        self._wheres = tuple(None if rule.where == _EVERYWHERE else rule.where for rule in rules)
        self._unmatched = tuple(BAD if rule.must == "match" else OK for rule in rules)
        self._no_content = (NO_CONTENT,) * len(rules)
        self._limited = any(where is not None for where in self._wheres)

    def judge(self, event: Event, output: Output | None) -> tuple[int, ...]:
        if not self.rules:
            return ()
        cells = self._search(output.text) if output is not None and output.text is not None else self._no_content
        if not self._limited:
            return cells
        return tuple(
            cell if where is None or self.matches(event, where) else NOT_ASKED
            for cell, where in zip(cells, self._wheres, strict=True)
        )

    def judge_all(self, columns: Columns) -> Cells:
        rows = list(map(self.judge, columns.events, columns.outputs)) if self.rules else []
        return np.array(rows, dtype=np.int16).reshape(len(columns), len(self.rules))

    def _search(self, text: str) -> tuple[int, ...]:
        found = self._bank.Match(text.encode("utf-8", "replace"))
        if not found:
            return self._unmatched
        cells = list(self._unmatched)
        for number in found:
            cells[number] = BAD - cells[number]
        return tuple(cells)


def _definition(rule: PatternRule) -> Definition:
    definition = Definition(f"pattern:{rule.name}", "patterns", _CELLS, yes=("bad",), no=("ok",))
    return sealed(definition, msgspec.json.encode(rule, order="deterministic"))


def _bank(rules: tuple[PatternRule, ...]) -> re2.Set:
    options = re2.Options()
    options.log_errors = False
    options.max_mem = _MEMORY
    bank = re2.Set.SearchSet(options)
    names: set[str] = set()
    for rule in rules:
        key = f"patterns.{rule.name}"
        if rule.name in names:
            raise PlanError(f"two patterns are called {rule.name!r}", key=key)
        names.add(rule.name)
        try:
            bank.Add(rule.expression)
        except re2.error as error:
            raise PlanError(f"{rule.expression!r} is no RE2 expression", key=key) from error
    bank.Compile()
    return bank
