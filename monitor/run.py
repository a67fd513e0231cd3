"""What goes into a step and what comes out of it: values only, so that any driver can carry them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from monitor.facts import Layout
from monitor.pairs import Pair
from monitor.pieces import Lines, Listed, Piece
from monitor.watch import Group


@dataclass(frozen=True, slots=True)
class Run:
    """Consecutive raw records of one source, from position `start` up to `end`.

    `positions` and `records` are parallel; `arrivals` are arrival stamps in milliseconds where the source has them. A
    source of lines gives `lines` instead, which come after any `records`. `clock` is the store's clock in milliseconds
    when the run was read. `drained` says that `end` is the log's end; `mark` is what the source wants to see again at
    `end` when it resumes.
    """

    source: str
    incarnation: str
    start: int
    end: int
    positions: Sequence[int]
    records: Sequence[bytes]
    clock: int
    arrivals: Sequence[int] | None = None
    drained: bool = False
    mark: str = ""
    lines: Sequence[Lines] = ()

    def pieces(self, most: int) -> Iterator[Piece]:
        """The records in pieces of up to `most`; lines as they came."""
        for start in range(0, len(self.records), most):
            here = slice(start, start + most)
            arrivals = None if self.arrivals is None else self.arrivals[here]
            yield Listed(self.positions[here], self.records[here], arrivals)
        yield from self.lines

    def listed(self) -> Run:
        """The same run with its lines cut into records."""
        found = [lines.listed for lines in self.lines]
        positions = [*self.positions, *(position for some in found for position in some.positions)]
        records = [*self.records, *(record for some in found for record in some.records)]
        return replace(self, positions=positions, records=records, lines=())


@dataclass(frozen=True, slots=True)
class DeltaRow:
    """One packed sparse delta: what this run adds to one bucket of one group of facts."""

    deployment: str
    group: Group
    bucket: int
    layout: str
    body: bytes


@dataclass(frozen=True, slots=True)
class QuarantineRow:
    """A record that could not be taken, with where it lies and why. `detail` holds no text of the record."""

    position: int
    reason: str
    detail: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Sampled:
    """A unit that was sampled: its pair, its event's bytes, and the arms still to be replayed."""

    pair: Pair
    layout: str
    event: bytes
    wanted: tuple[str, ...]
    logged_text: bytes
    reference_text: bytes


@dataclass(frozen=True, slots=True)
class OpenJoin:
    """A unit whose score or feedback may still come, by the identity of its request.

    It counts until lateness before `expires` by its own time; by then nothing on time can come any more.
    """

    deployment: str
    request: int
    bucket: int
    variant: str
    mask: bytes
    event_hash: int
    expires: int


@dataclass(slots=True)
class Batch:
    """Everything one transaction commits for one run. `deltas` and the rest are complete once `step` returns.

    `joined` are open joins to take away, `joins` those to add afterwards.
    """

    source: str
    incarnation: str
    start: int
    end: int
    watermark: int
    mark: str = ""
    accepted: int = 0
    duplicates: int = 0
    layouts: dict[str, Layout] = field(default_factory=dict)
    deltas: list[DeltaRow] = field(default_factory=list)
    seen: list[tuple[int, bytes]] = field(default_factory=list)
    tails: list[tuple[str, int, bytes]] = field(default_factory=list)
    sampled: list[Sampled] = field(default_factory=list)
    joins: list[OpenJoin] = field(default_factory=list)
    joined: list[tuple[str, int]] = field(default_factory=list)
    quarantine: list[QuarantineRow] = field(default_factory=list)
