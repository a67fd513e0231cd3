"""Adding up batches without a store, for laws about the step alone."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from monitor.facts import fold, pack_counts, sealed_rows
from monitor.run import Batch

Folded = dict[tuple[str, int, str, str, str, str], bytes]
"""Counts by deployment, bucket, variant, slice, series and population."""


def folded(batches: Iterable[Batch]) -> Folded:
    """The facts that the batches add up to."""
    bodies: dict[tuple[str, str, int, str], list[bytes]] = defaultdict(list)
    layouts = {}
    for batch in batches:
        layouts |= batch.layouts
        for delta in batch.deltas:
            bodies[delta.deployment, str(delta.group), delta.bucket, delta.layout].append(delta.body)
    found: Folded = {}
    for (deployment, _, bucket, digest), deltas in bodies.items():
        layout = layouts[digest]
        for variant, name, _, series, population, counts in sealed_rows(layout, fold(layout, deltas)):
            found[deployment, bucket, variant, name, series, str(population)] = pack_counts(counts)
    return found
