"""What processes use while they work: CPU seconds and resident bytes, as the kernel counts them (Linux)."""

from __future__ import annotations

import os
import statistics
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass(slots=True)
class Measured:
    """One reading: events, seconds of the clock, CPU seconds of each program, and resident bytes as it went on."""

    events: int
    seconds: float
    cpu: dict[str, float]
    resident: list[int] = field(default_factory=list)

    @property
    def rate(self) -> float:
        """Events a second."""
        return self.events / self.seconds

    @property
    def per_cpu(self) -> float:
        """Events a CPU second of the worker's."""
        return self.events / self.cpu["worker"]

    @property
    def growth(self) -> float:
        """Resident memory in the last tenth by that around the middle."""
        seen = self.resident
        if len(seen) < 20:
            return 1.0
        middle, last = seen[len(seen) * 45 // 100 : len(seen) * 55 // 100 + 1], seen[len(seen) * 9 // 10 :]
        return statistics.median(last) / statistics.median(middle)


def cpu(roots: Iterable[int]) -> float:
    """CPU seconds so far of these processes, of their children, and of those children that have ended."""
    parents = {int(entry.name): _stat(int(entry.name)) for entry in Path("/proc").iterdir() if entry.name.isdigit()}
    wanted = set(roots)
    mine = (one for pid, one in parents.items() if one and (pid in wanted or one[0] in wanted))
    return sum(ticks for _, ticks in mine) / _TICKS


def resident(pid: int) -> int:
    """Resident bytes of a process; 0 once it has ended."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE
    except (OSError, IndexError):
        return 0


def _stat(pid: int) -> tuple[int, int] | None:
    """The parent of a process, and its ticks with those of the children that it has waited for."""
    try:
        words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return int(words[1]), sum(map(int, words[11:15]))
