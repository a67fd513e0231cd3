"""One variant's live units beside those of all others, and the budget that is spent over what is watched of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from monitor.evidence.budget import ErrorNumbers, spend
from monitor.gate import gating_checks
from monitor.live import LiveCheck, live_checks
from monitor.series import Series, VariantFacts
from monitor.watch import Watch

LiveKey = tuple[str, str, str]
"""Slice, signal and direction of a live check."""


@dataclass(frozen=True, slots=True)
class Live:
    """One variant's live units, those of the other variants, and what they are judged by."""

    watch: Watch
    facts: VariantFacts
    others: Sequence[VariantFacts]
    numbers: ErrorNumbers

    def series(self, check: LiveCheck) -> Series | None:
        """The variant's own series of a check."""
        return self.facts.units.get((check.slice, check.signal))

    def past(self, check: LiveCheck) -> list[Series]:
        """What all variants gave before this one's deploy."""
        found = [other.units[check.slice, check.signal] for other in self.others if self._has(other, check)]
        earlier = [series.before(self.facts.first) for series in found]
        return [series for series in earlier if len(series.buckets)]

    def control(self, check: LiveCheck) -> Series | None:
        """The series of the declared control, if it served."""
        rule = self.watch.rule.variants.get(self.facts.variant)
        name = None if rule is None else rule.control
        found = [other for other in self.others if other.variant == name and self._has(other, check)]
        return found[0].units[check.slice, check.signal] if found else None

    @staticmethod
    def _has(other: VariantFacts, check: LiveCheck) -> bool:
        return (check.slice, check.signal) in other.units


def budget(watch: Watch) -> ErrorNumbers:
    """The plan's budget in numbers, spent over every check that may ever fail, page or ticket one variant."""
    checks = live_checks(watch)
    compared = checks if any(rule.control for rule in watch.rule.variants.values()) else ()
    return spend(
        watch.rule.budget,
        checks=len(gating_checks(watch)),
        tickets=sum(1 if check.direction == "longer" else check.groups for check in checks),
        controls=len(compared),
        gates=sum(fails(watch, check) for check in compared),
    )


def fails(watch: Watch, check: LiveCheck) -> bool:
    """Whether a check against the control may fail a variant, and not only page."""
    slices = {rule.name for rule in watch.slicer.rules if rule.gates}
    return bool(watch.signal_rule(check.signal).gates) and check.slice in slices
