"""Which signals will run on a log, on what share of it, and what the rest lacks. Asked of the signals themselves."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from monitor.model import Definition, Event, Feedback, Record, ScoreReport
from monitor.signals.columns import Columns
from monitor.watch import Watch

_PART: Final = 256
_SILENT: Final = frozenset(("no_content", "no_schema", "not_observed", "no_timing", "no_score", "not_asked", "broken"))
"""Cells in which a signal says nothing."""

_LACKS: Final[dict[tuple[str, str], str]] = {
    ("json", "no_schema"): "JSON is not demanded",
    ("schema", "no_schema"): "no JSON Schema is demanded, or one that cannot be compiled",
    ("tool_call", "no_schema"): "no tools are offered",
    ("truncation", "not_observed"): "the finish reason is not logged",
    ("finish_reason", "not_observed"): "the finish reason is not logged",
    ("language", "not_observed"): "no user message is logged",
    ("first_token", "no_timing"): "`timings.first_token` is not logged",
    ("per_token", "no_timing"): "not all of `timings.first_token`, `timings.total` and `completion_tokens` are logged",
    ("total", "no_timing"): "`timings.total` is not logged",
    ("score", "no_score"): "neither a score nor an expected answer is logged",
    ("correction", "not_observed"): "no conversation is named",
    ("correction_loop", "not_observed"): "no conversation is named",
}
_LACKS_ANY: Final = {
    "no_content": "the output is not logged, or has no text",
    "not_asked": "these requests are not asked it",
    "broken": "the check raises an error",
}
_PLAN_CLOSED: Final = "the plan keeps no requests open for it (`joins.share`)"


@dataclass(frozen=True, slots=True)
class Running:
    """One signal: on how many of the requests it says something, and what the others lack, in words.

    `yes` counts where it says yes (harm, or a refusal); None for signals that measure instead. `gates` says whether it
    may fail a build under the plan; only signals that are compared in pairs do.
    """

    signal: str
    requests: int
    runs: int
    yes: int | None
    gates: bool
    lacks: str


def running(watch: Watch, events: Sequence[Event], later: Sequence[Record]) -> list[Running]:
    """Every signal of one deployment. `later` are the scores and feedback that the log holds for it."""
    counts: dict[str, Counter[str]] = {definition.signal: Counter() for definition in watch.live}
    for start in range(0, len(events), _PART):
        part = Columns(events[start : start + _PART])
        for family in watch.families:
            for definition, column in zip(family.definitions, family.judge_all(part).T.tolist(), strict=True):
                counts[definition.signal].update(definition.cells[cell] for cell in column)
    found = [_running(watch, d, counts[d.signal], len(events)) for d in watch.live if d.family != "traffic"]
    talking = sum(event.conversation is not None for event in events)
    conversations = Counter({"served": talking, "not_observed": len(events) - talking})
    found += [_running(watch, _bare(name), conversations, len(events)) for name in ("correction", "correction_loop")]
    return found + [_joined(watch, name, shape, events, later) for name, shape in _LATER]


def merged(several: Sequence[Sequence[Running]]) -> list[Running]:
    """The same signals of several deployments added up; what is lacking is said in the words of the most requests."""
    by_name: dict[str, list[Running]] = {}
    for one in (one for each in several for one in each):
        by_name.setdefault(one.signal, []).append(one)
    return [_sum(parts) for parts in by_name.values()]


_LATER: Final = (("feedback", Feedback), ("late_score", ScoreReport))


def _sum(parts: Sequence[Running]) -> Running:
    most = max(parts, key=lambda part: part.requests - part.runs)
    return Running(
        signal=most.signal,
        requests=sum(part.requests for part in parts),
        runs=sum(part.runs for part in parts),
        yes=None if most.yes is None else sum(part.yes or 0 for part in parts),
        gates=any(part.gates for part in parts),
        lacks=most.lacks,
    )


def _running(watch: Watch, definition: Definition, cells: Counter[str], requests: int) -> Running:
    silent = Counter({cell: n for cell, n in cells.items() if cell in _SILENT and n})
    signal, runs = definition.signal, requests - silent.total()
    lacks = _words(signal, silent.most_common(1)[0][0]) if silent else ""
    yes = sum(cells[cell] for cell in definition.yes) if definition.yes else None
    return Running(signal, requests, runs, yes, _gates(watch, signal), lacks)


def _words(signal: str, cell: str) -> str:
    return _LACKS.get((signal, cell)) or _LACKS_ANY.get(cell) or cell.replace("_", " ")


def _joined(watch: Watch, name: str, shape: type, events: Sequence[Event], later: Sequence[Record]) -> Running:
    """A signal whose outcome comes in a record of its own, for one of the requests of the log."""
    runs = min(len(events), sum(type(record) is shape for record in later))
    if runs and not watch.rule.joins.share:
        return Running(name, len(events), 0, None, gates=False, lacks=_PLAN_CLOSED)
    kind = "feedback" if shape is Feedback else "score"
    return Running(name, len(events), runs, None, gates=False, lacks=f"no `{kind}` record speaks of it")


def _gates(watch: Watch, signal: str) -> bool:
    return signal in watch.judge.signals and watch.signal_rule(signal).gates is True


def _bare(signal: str) -> Definition:
    return Definition(signal=signal, family="correction", cells=())
