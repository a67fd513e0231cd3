"""How soon our evidence finds a change, and how often it is wrong, beside other detectors in the same run.

    python -m tests.bench.detection [--reduced] [--only ROW] [--out FOLDER]

A reduced run, or one of some rows only, writes only where `--out` says.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path

from tests.bench import figures
from tests.bench.detection import (
    all_clear,
    baselines,
    blame,
    delays,
    false_alarms,
    grid,
    latency,
    paired,
    quiet,
    speed,
)
from tests.bench.detection.row import Row
from tests.bench.detection.size import FULL, REDUCED, Size

SEED = 20_261_124
ROWS: dict[str, Callable[[Size, int], Row]] = {
    "speed": speed.row,
    "paired": paired.row,
    "all-clear": all_clear.row,
    "blame": blame.row,
    "latency": latency.row,
    "baselines": baselines.row,
    "quiet": quiet.row,
    "grid": grid.row,
    "delays": delays.row,
    "false-alarms": false_alarms.row,
}
ORDER = ("false-alarms", "delays", "baselines", "quiet", "paired", "grid", "all-clear", "latency", "blame", "speed")


def main() -> None:
    """Runs the benchmark and prints what was promised and measured."""
    parser = argparse.ArgumentParser(description="Delay and false alarms of the evidence, beside other detectors.")
    parser.add_argument("--reduced", action="store_true")
    parser.add_argument("--only", action="append", choices=ORDER)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    size, chosen = REDUCED if given.reduced else FULL, tuple(given.only or ORDER)
    began, rows = time.monotonic(), {}
    for name in (name for name in ROWS if name in chosen):
        started = time.monotonic()
        rows[name] = ROWS[name](size, SEED)
        print(f"{name}: {time.monotonic() - started:.0f} s", flush=True)
    found = [rows[name] for name in ORDER if name in rows]
    promised = [figure for row in found for figure in row.figures]
    page = _page(found, promised, time.monotonic() - began, reduced=given.reduced)
    folder = given.out or (None if given.reduced or given.only else figures.FOLDER)
    if folder is not None:
        figures.write("detection", SEED, promised, page, folder)
        for row in found:
            for name, body in row.charts.items():
                (folder / f"{name}.svg").write_text(body, encoding="utf-8")
    print(figures.promised(promised))


def _page(rows: list[Row], promised: list[figures.Figure], seconds: float, *, reduced: bool) -> str:
    host = figures.machine()
    missed = [figure.name.replace("_", " ") for figure in promised if not figure.holds]
    parts = []
    for row in rows:
        charts = "".join(f"\n![{row.title}]({name}.svg)\n" for name in row.charts)
        parts.append(f"## {row.title}\n{row.text}{charts}")
    return f"""# Detection

How soon the evidence finds a change, how often it is wrong, and what others need, on the same seeded streams.
{"A reduced run, whose upper limits are wide. " if reduced else ""}
{figures.today()}, {host["cores"]} cores, {host["cpu"]}, Python {host["python"]};
seed {SEED}; {seconds:.0f} s.
Made by `make bench-detection`; a shorter run: `python -m tests.bench.detection --reduced`.
What is promised, by which methods and under which conditions: [evidence](../evidence.md).

{figures.promised(promised)}
{"Missed: " + "; ".join(missed) + "." if missed else "All of them hold."}

{chr(10).join(parts)}"""


if __name__ == "__main__":
    main()
