"""Driving the step: read a run, step, commit behind the fence, go on. One writer a process."""

from __future__ import annotations

import gc
import logging
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import sqlalchemy as sa
from sqlalchemy.engine import Engine

from monitor.plan import Plan
from monitor.run import Batch, Run
from monitor.state import State
from monitor.step import step
from monitor.watch import Watch, Watching
from services.errors import FenceError, GapError, StoreError
from services.gap import Gap
from services.ports import Clock, Source
from services.store.commit import close, commit, register
from services.store.epochs import read_epochs
from services.store.gaps import record
from services.store.positions import advance
from services.store.restore import restore

_log = logging.getLogger(__name__)
_DISTURBED = 5


@dataclass(slots=True)
class Summary:
    """What an ingestion took, dropped and kept aside."""

    accepted: int = 0
    duplicates: int = 0
    quarantined: Counter[str] = field(default_factory=Counter)

    def add(self, batch: Batch) -> None:
        """Adds a committed batch."""
        self.accepted += batch.accepted
        self.duplicates += batch.duplicates
        self.quarantined.update(row.reason for row in batch.quarantine)


@contextmanager
def _collector_off() -> Iterator[None]:
    """No search for cycles while a run is worked on: it makes none, and its many values would be searched for them."""
    on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if on:
            gc.enable()


class Ingestion:
    """All sources of one process and the memory they share; with `only`, that of these sources and no others."""

    def __init__(
        self, engine: Engine, plan: Plan, clock: Clock, watching: Watching = Watch, only: Sequence[str] | None = None
    ) -> None:
        self.engine = engine
        self.plan = plan
        self.clock = clock
        self.keep = plan.keep
        self._watching = watching
        self._only = only
        self._state: State | None = None

    def read(self, source: Source, progress: Callable[[Batch], None] = lambda _: None) -> Summary:
        """Takes everything that a source holds now, from its stored position on. Resumable at any point."""
        summary = Summary()
        for batch in self._batches(source):
            summary.add(batch)
            progress(batch)
        return summary

    def finish(self, source: Source) -> None:
        """Says that a source brings nothing more; it holds up sealing no longer."""
        self.release(source.name)
        source.close()

    def release(self, source: str) -> None:
        """The same of a source that is not open in this process."""
        close(self.engine, source)
        if self._state is not None:
            self._state.watermarks.pop(source, None)

    def hold(self, sources: Sequence[Source]) -> None:
        """Lets sources hold up sealing before any of them is read, so that none finds its buckets sealed by another."""
        for source in sources:
            register(self.engine, source.name, source.incarnation)

    def rest(self, sources: Sequence[Source], now: int) -> None:
        """Says that open sources held nothing new at `now`: their watermarks go on, as by an empty run each."""
        if not sources:
            return
        state = self._restored()
        names, watermark = [source.name for source in sources], now - state.lateness
        advance(self.engine, names, watermark)
        for name in names:
            if name in state.watermarks:
                state.watermarks[name] = max(state.watermarks[name], watermark)

    def miss(self, gap: Gap) -> None:
        """Records a gap; its source holds up sealing no longer."""
        record(self.engine, gap, self.clock())
        if self._state is not None:
            self._state.watermarks.pop(gap.source, None)

    def forget(self) -> None:
        """Throws the memory away; it is rebuilt from the store at the next read."""
        self._state = None

    def _batches(self, source: Source) -> Iterator[Batch]:
        disturbed = 0
        while True:
            try:
                yield from self._follow(source)
                return
            except FenceError as error:
                disturbed += 1
                self.forget()
                if disturbed > _DISTURBED:
                    raise
                _log.warning("%s; reading again from the stored position", error)

    def _follow(self, source: Source) -> Iterator[Batch]:
        try:
            offset, mark = register(self.engine, source.name, source.incarnation)
            source.check(offset, mark)
        except GapError as error:
            self.miss(error.gap)
            raise
        if self._state is not None and source.name not in self._state.watermarks:
            self.forget()  # a new source begins in the past: it may bring ids that are forgotten here, but not there
        state = self.begin(source.name)
        for run in source.runs(offset):
            yield self._take(state, run)

    def begin(self, source: str) -> State:
        """The memory as it is before runs of a source are taken: restored, and with the sampling of today."""
        state = self._restored()
        with self.engine.connect() as connection:
            state.sample_by(read_epochs(connection))
        state.watermarks.setdefault(source, 0)
        return state

    def take(self, run: Run, complete: Callable[[Batch], None] = lambda _: None) -> Batch:
        """Takes one run; `complete` adds to the batch what only its source knows, before all is committed.

        `FenceError`, and the memory is forgotten, if the position is not where the run begins.
        """
        return self._take(self.begin(run.source), run, complete)

    def _take(self, state: State, run: Run, complete: Callable[[Batch], None] = lambda _: None) -> Batch:
        try:
            with _collector_off():
                batch = step(state, run)
                complete(batch)
                commit(self.engine, batch, self.keep, self.clock())
        except BaseException as error:
            self.forget()
            if isinstance(error, sa.exc.DBAPIError):
                raise StoreError(f"cannot write to the database: {error.orig}") from None
            raise
        return batch

    def _restored(self) -> State:
        if self._state is None:
            self._state = restore(self.engine, self.plan, self._watching, self._only)
        return self._state
