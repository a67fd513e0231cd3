"""`python -m tests.kill`: `KILL_RUNS` seeded runs (200), from `KILL_SEED` (0) on; the last line sums them up."""

from __future__ import annotations

import os
import sys
import time
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory

from deploy.local.errors import NoServer
from tests.kill.drill import Report, run
from tests.kill.servers import Servers
from tests.support.kafka import open_kafka


def main() -> int:
    """The exit status."""
    runs, first = int(os.environ.get("KILL_RUNS", "200")), int(os.environ.get("KILL_SEED", "0"))
    began = time.monotonic()
    with TemporaryDirectory(prefix="quantwatch-kill-") as name:
        folder = Path(name)
        try:
            kafkas = open_kafka(folder)
            kafka = next(kafkas)
            servers = Servers(kafka)
        except NoServer as error:
            return _end(f"make test-kill: {error}", 1)
        reports = list[Report]()
        with servers:
            try:
                for seed in range(first, first + runs):
                    place = folder / f"run-{seed}"
                    place.mkdir()
                    reports.append(run(servers, seed, place))
                    _say(reports[-1])
            except AssertionError as error:
                sys.stderr.write(f"{error}\n")
                return _end(f"make test-kill: seed {seed} fails (KILL_SEED={seed} KILL_RUNS=1 repeats it)", 1)
            finally:
                kafkas.close()
    return _end(_summary(reports, time.monotonic() - began), 0)


def _say(report: Report) -> None:
    killed = ", ".join(f"{kind} {number}" for kind, number in sorted(report.killed.items()))
    sys.stderr.write(f"seed {report.seed}: {report.seconds:.1f} s; killed {killed}; {report.copies} copies\n")


def _summary(reports: list[Report], seconds: float) -> str:
    killed: Counter[str] = sum((report.killed for report in reports), Counter())
    victims = ", ".join(f"{kind} {number}" for kind, number in sorted(killed.items()))
    return (
        f"make test-kill: {len(reports)} runs, {killed.total()} killed ({victims}), {seconds:.0f} s: "
        f"all facts equal, nothing lost or doubled, no alert told twice"
    )


def _end(said: str, status: int) -> int:
    sys.stdout.write(said + "\n")
    return status


if __name__ == "__main__":
    sys.exit(main())
