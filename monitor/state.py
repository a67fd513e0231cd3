"""What a step remembers between runs: ids, conversations, watermarks, open joins. All bounded, all rebuildable.

A driver that fails to commit a batch throws its state away and restores one from the store.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

from monitor.conversations import Conversations
from monitor.dialects.reader import Reader
from monitor.plan import DeploymentRule, Plan, seconds
from monitor.run import OpenJoin
from monitor.sampling import Epoch
from monitor.seen import Seen
from monitor.watch import Watch, Watching

_SWEEP: Final = 1_024


class Deployment:
    """One watched deployment and its memory. `sealed` is the first live bucket that is still open."""

    def __init__(self, watch: Watch, sealed: int = 0) -> None:
        self.watch = watch
        self.conversations = Conversations(watch.rule)
        self.joins: dict[int, OpenJoin] = {}
        self.sealed = sealed
        self._swept = _SWEEP

    def expire_joins(self, watermark: int) -> None:
        """Forgets joins that nothing on time can meet any more, whenever they have doubled; changes no answer."""
        if len(self.joins) >= self._swept:
            self.joins = {name: join for name, join in self.joins.items() if join.expires >= watermark}
            self._swept = max(_SWEEP, 2 * len(self.joins))


class State:
    """The memory of one driver. `watching` makes a deployment's watch from its name, the plan and its epochs."""

    def __init__(
        self, plan: Plan, epochs: Callable[[str], list[Epoch]] = lambda _: [], watching: Watching = Watch
    ) -> None:
        self.plan = plan
        self.reader = Reader(plan.input.mapping, plan.home)
        self.seen = Seen()
        self.watermarks: dict[str, int] = {}
        self.lateness = max(int(seconds(r.lateness) * 1000) for r in plan.deployments.values() or (DeploymentRule(),))
        self._epochs = epochs
        self._watching = watching
        self._deployments: dict[str, Deployment | None] = {}

    def deployment(self, name: str) -> Deployment | None:
        """The deployment's memory; under an open plan every name is watched as soon as it is seen."""
        found = self._deployments.get(name)
        if found is None and name not in self._deployments:
            known = self.plan.deployment(name) is not None
            found = Deployment(self._watching(name, self.plan, self._epochs(name))) if known else None
            self._deployments[name] = found
        return found

    def sample_by(self, epochs: Mapping[str, Sequence[Epoch]]) -> None:
        """Takes note of sampling epochs that were written since; they take effect at their buckets."""
        self._epochs = lambda name: list(epochs.get(name, ()))
        for deployment in self.deployments:
            deployment.watch.sampler.epochs = list(epochs.get(deployment.watch.name, ()))

    @property
    def deployments(self) -> list[Deployment]:
        """All that have been seen and are watched."""
        return [deployment for deployment in self._deployments.values() if deployment is not None]

    def restore(
        self,
        watermarks: dict[str, int],
        seen: Iterable[tuple[int, bytes]],
        tails: Iterable[tuple[str, bytes]],
        joins: Iterable[OpenJoin],
        sealed: dict[str, int],
    ) -> None:
        """Puts back what the store holds; packs in the order in which they were committed."""
        self.watermarks.update(watermarks)
        for expires, body in seen:
            self.seen.restore(expires, body)
        for name, first_open in sealed.items():
            if (known := self.deployment(name)) is not None:
                known.sealed = first_open
        for name, body in tails:
            if (known := self.deployment(name)) is not None:
                known.conversations.restore([body])
        for join in joins:
            if (known := self.deployment(join.deployment)) is not None:
                known.joins[join.request] = join
