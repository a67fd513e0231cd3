"""The gating checks of one variant: which there are, what each says, and what changed late."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import xxhash

from monitor import control
from monitor.causes import Case
from monitor.checks import CheckTable, cells_once, check_table, declared_levels, directions
from monitor.evidence import detector, latest
from monitor.evidence.budget import ErrorNumbers
from monitor.evidence.check import Bar, PairedResult, assess_pairs
from monitor.evidence.joint import Direction
from monitor.model import Check, Decision
from monitor.series import Series, VariantFacts
from monitor.watch import Watch

CheckKey = tuple[str, str, Direction]
"""Slice, signal and direction."""


def gating_checks(watch: Watch) -> tuple[CheckKey, ...]:
    """Every check that may ever gate a variant of this deployment; the budget is split over them."""
    gates = [signal for signal in watch.judge.signals if watch.signal_rule(signal).gates]
    return tuple((r.name, s, d) for r in watch.slicer.rules if r.gates for s in gates for d in directions(s))


def drift_checks(watch: Watch) -> tuple[CheckKey, ...]:
    """The paired checks that raise tickets only."""
    signals = [signal for signal in watch.judge.signals if not watch.signal_rule(signal).gates]
    return tuple((r.name, s, d) for r in watch.slicer.rules for s in signals for d in directions(s))


@dataclass(frozen=True, slots=True)
class Change:
    """A late change of a gating check: its detector's value against its level, and where it begins."""

    check: Check
    log_value: float
    level: float
    start: int


@dataclass(slots=True)
class Memory:
    """Detector and window states of earlier looks, and those against a control,
    each with the hash of the sealed prefix it was computed from."""

    states: dict[tuple[str, str, CheckKey], tuple[int, str, detector.DetectorState, latest.WindowState]] = field(
        default_factory=dict
    )
    controls: control.Memory = field(default_factory=dict)


class Gate:
    """All gating checks of one variant at one look. Reads sealed pair facts only."""

    def __init__(
        self,
        watch: Watch,
        facts: VariantFacts,
        others: Sequence[VariantFacts],
        numbers: ErrorNumbers,
        latched: Mapping[CheckKey, float],
        memory: Memory | None = None,
    ) -> None:
        self.watch = watch
        self.facts = facts
        self.others = others
        self.numbers = numbers
        self.latched = latched
        self.memory = memory or Memory()
        self.case = Case(watch, facts, others)
        self.uncovered: tuple[str, ...] = ()
        self._late: list[Change] = []
        self._tables: list[CheckTable] = []

    def checks(self) -> tuple[Check, ...]:
        """One check per gating question that has pairs enough, or that has failed; the rest is `uncovered`."""
        found: list[Check] = []
        thin: list[str] = []
        for key in gating_checks(self.watch):
            series = self.facts.pairs.get(key[:2])
            table = (
                None if series is None else check_table(series, key[1], key[2], declared_levels(self.watch.rule.shadow))
            )
            if series is None or table is None or table.applicable == 0:
                continue
            self._tables.append(table)
            check = self._check(key, series, table)
            enough = table.applicable >= self.watch.rule.policy.minimum_pairs
            if enough or check.decision is Decision.FAIL:
                found.append(check)
            else:
                thin.append(f"{key[0]}/{key[1]}")
        self.uncovered = tuple(dict.fromkeys([*thin, *self._unseen()]))
        return tuple(found)

    def changes(self) -> tuple[Change, ...]:
        """What its detector found to change later, among the checks that did not fail; after `checks`."""
        return tuple(self._late)

    def coverage(self) -> dict[str, float | int | None]:
        """Units, pairs and the share that lacked an arm; after `checks`."""
        units = self.facts.units.get(("all", "traffic"))
        served = 0 if units is None else int(units.total.sum())
        whole = [(signal, series.total) for (name, signal), series in self.facts.pairs.items() if name == "all"]
        pairs = max((int(total[: cells_once(signal)].sum()) for signal, total in whole), default=0)
        worst = max((t.excluded / t.applicable for t in self._tables if t.applicable), default=0.0)
        return {
            "units": served,
            "pairs": pairs,
            "replayed_share": pairs / served if served else None,
            "excluded_share": worst,
        }

    def _unseen(self) -> list[str]:
        """Gating slices that have traffic but no pairs at all."""
        seen = {name for name, _ in self.facts.pairs}
        live = {name for name, signal in self.facts.units if signal == "traffic"}
        return sorted(f"{rule.name}/no pairs" for rule in self.watch.slicer.rules if rule.name in live - seen)

    def _check(self, key: CheckKey, series: Series, table: CheckTable) -> Check:
        name, signal, direction = key
        tolerance = self.watch.signal_rule(signal).tolerance
        bar = Bar(tolerance, self.numbers.fail_alpha, self.numbers.pass_alpha)
        windows = latest.WindowRule(latest.size_for(tolerance, bar.pass_alpha), bar.pass_alpha)
        state, window = self._advance(key, table, tolerance, windows)
        result = assess_pairs(table.pairs, bar, windows, window, pairs_per_second=self._pace(table))
        failed_at = self.latched.get(key)
        decision, reason = self._decide(result, table, failed_at)
        start = int(detector.change_start(state))
        check = Check(
            deployment=self.watch.name,
            variant=self.facts.variant,
            slice=name,
            signal=signal,
            direction=direction,
            decision=decision,
            pairs=result.pairs,
            excluded=table.excluded,
            harm=result.harm,
            latest=result.latest,
            tolerance=tolerance,
            log_evidence=result.log_evidence,
            threshold=bar.fail_threshold,
            log_all_clear=result.log_all_clear,
            clear_threshold=bar.clear_threshold,
            since=start * self.watch.width / 1000 if decision is Decision.FAIL and start >= 0 else None,
            needs_pairs=None if result.need is None or decision is not Decision.HOLD else result.need.pairs,
            needs_seconds=None if result.need is None or decision is not Decision.HOLD else result.need.seconds,
            reason=reason,
            blame=self.case.of_check(series, *key) if decision is Decision.FAIL else None,
        )
        level = self.numbers.page_level(self.watch.width / 1000)
        value = float(detector.log_value(state))
        if decision is not Decision.FAIL and value >= level:
            self._late.append(Change(check, value, level, start))
        return check

    def _advance(
        self, key: CheckKey, table: CheckTable, tolerance: float, rule: latest.WindowRule
    ) -> tuple[detector.DetectorState, latest.WindowState]:
        """The states after all blocks, continued from the last look where its prefix is unchanged."""
        name = (self.watch.plan.digest, self.facts.variant, key)
        done, digest, state, window = self.memory.states.get(
            name, (0, "", detector.fresh(), latest.fresh(len(table.support)))
        )
        if done > len(table.blocks) or digest != _prefix(table, done):
            done, state, window = 0, detector.fresh(), latest.fresh(len(table.support))
        for bucket, counts in zip(table.buckets[done:].tolist(), table.blocks[done:], strict=True):
            state = detector.update(state, table.support, counts, tolerance, bucket, weights=table.weights)
            window = latest.advance(rule, window, counts, bucket)
        self.memory.states[name] = (len(table.blocks), _prefix(table, len(table.blocks)), state, window)
        return state, window

    def _pace(self, table: CheckTable) -> float | None:
        """Eligible pairs a second since the deploy."""
        elapsed = (self.facts.last + 1 - self.facts.first) * self.watch.width / 1000
        return int(table.blocks.sum()) / elapsed if elapsed > 0 and table.blocks.sum() else None

    def _decide(self, result: PairedResult, table: CheckTable, failed_at: float | None) -> tuple[Decision, str]:
        if result.harmful or failed_at is not None:
            return Decision.FAIL, "harm beyond the tolerance is shown"
        limit = self.watch.rule.shadow.excluded_limit
        if table.excluded > limit * table.applicable:
            return Decision.HOLD, f"{table.excluded} of {table.applicable} pairs lack an arm"
        if result.clear:
            return Decision.PASS, "harm is shown to lie under the tolerance"
        if result.need is None:
            return Decision.HOLD, "undecided, and at this rate it stays so: the harm is close to the tolerance"
        return Decision.HOLD, f"needs about {result.need.pairs} more pairs"


def _prefix(table: CheckTable, blocks: int) -> str:
    """A hash of the first `blocks` sealed blocks."""
    support = np.array([*table.support, *(table.weights or ())])
    body = support.tobytes() + table.buckets[:blocks].tobytes() + np.ascontiguousarray(table.blocks[:blocks]).tobytes()
    return xxhash.xxh3_64_hexdigest(body) if blocks else ""
