"""The requests of one deployment in one run: judged part by part, and counted when the run is complete.

Of a request that has been judged only integers and its prompt are kept, so that memory is soon reused; what looks
back, or at the whole run, is then done for all requests at once.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from monitor.admit import Admitted, Late
from monitor.conversations import Turns, UnitDraw, conversation_hashes, positions
from monitor.joins import Joinable, follow_joins, joinable
from monitor.replayable import Candidate, candidates, sampled
from monitor.run import Batch
from monitor.signals.columns import Columns
from monitor.signals.family import Cells
from monitor.state import Deployment
from monitor.tally import Places, Tally
from monitor.watch import Group

_SERVED, _NO_TURN = 0, 2
"""Cells of the correction signals: a turn of a conversation, and a request without one."""


class Gathered:
    """Rows are the deployment's requests in log order, counted through the run."""

    def __init__(self, deployment: Deployment) -> None:
        self.deployment = deployment
        self.rows = 0
        self._buckets: list[int] = []
        self._variants: list[str] = []
        self._masks: list[bytes] = []
        self._times: list[NDArray[np.int64]] = []
        self._cells: list[Cells] = []
        self._talking: list[int] = []
        self._names: list[str] = []
        self._positions: list[int] = []
        self._actions: list[str | None] = []
        self._prompts: list[str | None] = []
        self._candidates: list[Candidate] = []
        self._joinable: list[Joinable] = []
        self._late: list[Late] = []

    def take(self, admitted: Admitted) -> None:
        """Signals and slices of the next requests, and what has to be kept of them."""
        events, watch = admitted.events, self.deployment.watch
        patterns = watch.slicer.patterns(events)
        buckets = (admitted.times // watch.width).tolist()
        columns = Columns(events)
        self._cells.append(self._judged(columns))
        self._talk(columns)
        self._candidates += candidates(admitted, self.rows, buckets, patterns)
        self._joinable += joinable(admitted, self.rows)
        self._buckets += buckets
        self._variants += [event.variant for event in events]
        self._masks += watch.slicer.masks(patterns)
        self._times.append(admitted.times)
        self.rows += len(events)

    def wait(self, late: Sequence[Late]) -> None:
        """Scores and feedback that came among the requests of the part that is to be taken next."""
        for one in late:
            one.after += self.rows
            self._late.append(one)

    def count(self, tally: Tally, batch: Batch) -> None:
        """Units, corrections, joins and the shadow's sample; everything is counted."""
        watch = self.deployment.watch
        places = tally.places(self._buckets, self._variants, self._masks)
        units, served = self._follow(places, tally)
        if self.rows:
            cells = {Group.LIVE: np.concatenate(self._cells), Group.CORRECTION: np.column_stack((served, served))}
            tally.add(watch, places, cells, units)
        follow_joins(self.deployment, self._joinable, self._late, places, units, tally, batch)
        pairs = sampled(watch, self._candidates, units)
        if pairs:
            batch.sampled.extend(pairs)
            batch.layouts[watch.layouts[Group.PAIR].digest] = watch.layouts[Group.PAIR]
        batch.accepted += self.rows

    def _judged(self, columns: Columns) -> Cells:
        """The cells of the live definitions; that of `traffic`, the last one, is 0."""
        watch = self.deployment.watch
        cells, at = np.zeros((len(columns), len(watch.live)), dtype=np.int16), 0
        for family in watch.families:
            width = len(family.definitions)
            cells[:, at : at + width] = family.judge_all(columns)
            at += width
        return cells

    def _talk(self, columns: Columns) -> None:
        """Keeps what is needed of the turns of conversations."""
        names = [event.conversation for event in columns.events]
        talking = [i for i, name in enumerate(names) if name is not None]
        events, questions, rows = columns.events, columns.questions, self.rows
        self._talking += [rows + i for i in talking]
        self._names += [names[i] for i in talking]  # type: ignore[misc]
        turns = [events[i] for i in talking]
        self._positions += positions(turns)
        self._actions += [event.action for event in turns]
        self._prompts += [questions[i] for i in talking]

    def _follow(self, places: Places, tally: Tally) -> tuple[NDArray[np.bool_], NDArray[np.int16]]:
        """Which rows are units, and their cells of the correction signals; corrections go to earlier turns."""
        watch, talking = self.deployment.watch, self._talking
        units, served = np.ones(self.rows, dtype=np.bool_), np.full(self.rows, _NO_TURN, dtype=np.int16)
        if not talking:
            return units, served
        names = conversation_hashes(watch.name, self._names, watch.rule.seed)
        if not watch.sees_turns:
            units[talking] = np.array(self._positions) == UnitDraw(watch.rule).turns(names)
            return units, served
        turns = Turns(
            names=names,
            times=np.concatenate(self._times)[talking],
            places=[places.places[k] for k in places.index[talking].tolist()],
            positions=self._positions,
            actions=self._actions,
            prompts=self._prompts,
        )
        served[talking] = _SERVED
        units[talking], corrections = self.deployment.conversations.follow(turns)
        for correction in corrections:
            tally.correct(watch, correction)
        return units, served
