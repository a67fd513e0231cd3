"""Whose fault: the pairs and units before and since a deploy, put together as `attribution` and `blame` want them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from monitor.blame import NO_BASELINE, NO_DEPLOYED, Differences, ReferencePeriods, blame, from_joint, from_scores, split
from monitor.checks import declared_levels, grouped, inclusion, inclusion_weights, joint, own_values
from monitor.evidence.attribution import Period
from monitor.evidence.joint import MISSING, Direction, contrast, outcomes
from monitor.facts import Counts
from monitor.live import added_up, latency_bins, yes_and_no
from monitor.model import Arm, Blame
from monitor.pairs import GAINS, JOINT, SPAN, VALUES
from monitor.series import Series, VariantFacts
from monitor.signals.latency import LOADS
from monitor.signals.score import GRID
from monitor.slices import ALL
from monitor.watch import Watch

LOAD = "total"
"""The latency whose strata say under what load a unit came."""

STRATA = len(LOADS) + 1
NO_PAIRS = "no replays of this"


@dataclass(frozen=True, slots=True)
class Case:
    """One variant under suspicion, with everything that is known of its deployment."""

    watch: Watch
    facts: VariantFacts
    others: Sequence[VariantFacts]

    def of_check(self, series: Series, name: str, signal: str, direction: Direction) -> Blame:
        """Whose the harm of a failing check is. Traffic is shown, and never the cause: both arms had the same."""
        tolerance, alpha = self.watch.signal_rule(signal).tolerance, self.watch.rule.budget.wrong_fail
        declared = declared_levels(self.watch.rule.shadow)
        differences = _differences(series, signal, direction, declared)
        if signal in VALUES:
            found = blame(differences, tolerance, alpha, periods=self._values(series, name, signal, direction))
            return found if found.cause != "traffic" else replace(found, cause="undetermined")
        simple = blame(differences, tolerance, alpha)
        before = self._reference_before(name, signal, direction)
        if before is None or differences.quantization.sum() == 0:
            return simple
        now = self._now(series, direction)
        return split(now, before, tolerance, alpha, simple.noise_floor, innocent=("traffic",))

    def of_change(self, name: str, signal: str, direction: Direction) -> Blame:
        """Whose a change of a live rate against the period before the deploy is."""
        series = self.facts.pairs.get((name, signal))
        if series is None or signal in VALUES:
            return Blame("undetermined", missing=(NO_PAIRS,))
        tolerance, alpha = self.watch.signal_rule(signal).tolerance, self.watch.rule.budget.wrong_fail
        now, before = self._now(series, direction), self._before(name, signal, direction)
        if before is None:
            lacks = (
                (NO_BASELINE,)
                if now.quantization is not None and now.quantization.any()
                else (NO_DEPLOYED, NO_BASELINE)
            )
            return Blame("undetermined", missing=lacks)
        return split(now, before, tolerance, alpha, None)

    def _now(self, series: Series, direction: Direction) -> Period:
        return self._period([(series, self.facts)], direction)

    def _before(self, name: str, signal: str, direction: Direction) -> Period | None:
        """What users got before: by the pairs of earlier builds, else by the units of the reference itself."""
        earlier = [(other.pairs[name, signal].before(self.facts.first), other) for other in self._having(name, signal)]
        earlier = [(series, other) for series, other in earlier if len(series.buckets)]
        return self._period(earlier, direction) if earlier else self._reference_units(name, signal, direction)

    def _reference_before(self, name: str, signal: str, direction: Direction) -> Period | None:
        """The same as if the reference had served then: a failing check is held against it, not against the past."""
        before = self._before(name, signal, direction)
        if before is None or not before.reference.any():
            return None
        return Period(before.reference, before.reference, None, None, before.load, before.weights)

    def _values(self, series: Series, name: str, signal: str, direction: Direction) -> ReferencePeriods | None:
        """The reference's own scores, now and before. Lengths are magnified in pairs: they cannot be added up with."""
        earlier = [other.pairs[name, signal].before(self.facts.first) for other in self._having(name, signal)]
        past = sum((one.total for one in earlier if len(one.buckets)), np.zeros(series.counts.shape[1], np.int64))
        if signal in GAINS or not past.any():
            return None
        turn = slice(None, None, -1) if direction == "less" else slice(None)
        return ReferencePeriods(GRID, own_values(series.total)[turn].copy(), own_values(past)[turn].copy())

    def _having(self, name: str, signal: str) -> list[VariantFacts]:
        return [other for other in self.others if (name, signal) in other.pairs]

    def _reference_units(self, name: str, signal: str, direction: Direction) -> Period | None:
        """The period of the reference's own live units before the deploy."""
        found = [o for o in self.others if o.variant == self.watch.rule.reference and (name, signal) in o.units]
        definition = next((d for d in self.watch.live if d.signal == signal), None)
        series = found[0].units[name, signal].before(self.facts.first) if found else None
        if series is None or definition is None or not len(series.buckets):
            return None
        weights = inclusion_weights(declared_levels(self.watch.rule.shadow))
        rates = np.zeros((len(weights), 2), np.int64)
        rates[0] = yes_and_no(definition, series)[:: -1 if direction == "more" else 1]
        _, load = _strata(found[0], series.buckets, self.facts.first)
        return Period(rates.reshape(-1), rates.reshape(-1), None, None, load, weights)

    def _period(self, sources: Sequence[tuple[Series, VariantFacts]], direction: Direction) -> Period:
        """All pairs of some variants that hold the three arms, by load stratum and inclusion; all, where none does."""
        declared = declared_levels(self.watch.rule.shadow)
        weights = inclusion_weights(declared)
        table = np.zeros((STRATA, len(weights), JOINT), np.int64)
        load = np.zeros(STRATA, np.int64)
        for series, facts in sources:
            strata, units = _strata(facts, series.buckets, int(series.buckets.max()) + 1)
            np.add.at(table, (strata, inclusion(series, declared)), series.counts[:, :JOINT])
            load += units
        cells = joint(table)
        whole = cells[..., :MISSING, :MISSING, :MISSING, :]
        if whole.any():
            cells = np.zeros_like(cells)
            cells[..., :MISSING, :MISSING, :MISSING, :] = whole
        turn = slice(None) if direction == "more" else slice(None, None, -1)
        rates = [outcomes(cells.sum(axis=0), arm)[..., turn].reshape(-1) for arm in (Arm.LOGGED, Arm.REFERENCE)]
        quantization, _ = contrast(cells.sum(axis=0), Arm.DEPLOYED, Arm.REFERENCE, direction)
        serving, _ = contrast(cells, Arm.LOGGED, Arm.DEPLOYED, direction)
        return Period(rates[0], rates[1], quantization.reshape(-1), serving.reshape(STRATA, -1), load, weights)


def _strata(facts: VariantFacts, buckets: NDArray[np.int64], end: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The load stratum of each bucket, that of most units in its block; and all units before `end` by stratum, (A,).

    Without known loads, all are in the lowest and no units are counted.
    """
    total = facts.units.get((ALL, LOAD))
    if total is None or not len(total.buckets):
        return np.zeros(len(buckets), np.int64), np.zeros(STRATA, np.int64)
    blocks = added_up(total)
    by_load = latency_bins(blocks).reshape(len(blocks.buckets), STRATA, -1).sum(axis=-1)
    prevailing = np.argmax(by_load, axis=1)
    at = np.clip(np.searchsorted(blocks.buckets, buckets, side="right") - 1, 0, None)
    units, kept = np.zeros(STRATA, np.int64), blocks.buckets < end
    np.add.at(units, prevailing[kept], by_load[kept].sum(axis=1))
    return prevailing[at], units


def _differences(series: Series, signal: str, direction: Direction, declared: Sequence[int]) -> Differences:
    group, weights = grouped(series, declared)
    table = np.zeros((len(weights), series.counts.shape[1]), np.int64)
    np.add.at(table, group, series.counts)
    if signal not in VALUES:
        return from_joint(joint(table), direction, weights)
    spans: list[Counts] = [table[:, c * SPAN : (c + 1) * SPAN - 1] for c in range(4)]
    if direction == "more":
        spans = [span[:, ::-1] for span in spans]
    return from_scores(spans[0], spans[1], spans[2], spans[3], weights=weights)
