"""What ingestion costs: CPU time of the whole live path against `orjson.loads` of the same bytes in the same run.

    python -m tests.bench.ingest [--events 1000000] [--out FOLDER]

A run of fewer events than the promised million writes only where `--out` says.
"""

from __future__ import annotations

import argparse
import os
import random
import resource
import statistics
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import orjson

import monitor.admit
import monitor.gather
import monitor.step
import services.runtime
from monitor.gather import Gathered
from monitor.plan import Plan
from monitor.run import Batch
from monitor.signals.correction import kind_of, likenesses, signatures
from monitor.signals.degeneration import Degeneration
from monitor.signals.latency import Latency
from monitor.signals.patterns import Patterns
from monitor.signals.refusal import Refusal
from monitor.signals.score import Score
from monitor.signals.structure import Structure
from monitor.slices import Slicer
from monitor.tally import Tally
from services.ingest.jsonl import JsonlFile
from services.runtime import Ingestion
from services.store.engine import open_engine, upgrade
from tests.bench import figures, traffic
from tests.bench.figures import Figure
from tests.bench.plan import SLICES, plan
from tests.bench.stopwatch import Place, Stopwatch

EVENTS = 1_000_000
SIDE_EVENTS = 100_000
"""Events of the runs beside the main one."""

WARM_EVENTS = 5_000

SEED = 20_261_124
GOAL, PROMPT_GOAL, GROWTH_GOAL = 4.0, 50.0, 1.05
PROMPT = 16_000
MORE_SLICES = (100, 500)
SHADOW_SHARE = 0.01

PARTS: dict[str, Sequence[Place]] = {
    "read": [(JsonlFile, "_run")],
    "decode": [(monitor.admit, "_decoded")],
    "admission: time, duplicates, ids": [(monitor.admit.Admission, "_part")],
    "slices": [(Slicer, "patterns")],
    "structure": [(Structure, "judge_all")],
    "patterns": [(Patterns, "judge_all")],
    "refusal": [(Refusal, "judge_all")],
    "latency": [(Latency, "judge_all")],
    "degeneration": [(Degeneration, "judge_all")],
    "score": [(Score, "judge_all")],
    "conversations and correction": [(Gathered, "_talk"), (Gathered, "_follow")],
    "sampling for the shadow": [(monitor.gather, "candidates"), (monitor.gather, "sampled")],
    "facts": [(Tally, "places"), (Tally, "add"), (Tally, "rows")],
    "memory: ids and tails packed": [(monitor.step, "_remember")],
    "commit to SQLite": [(services.runtime, "commit")],
}
REST = "the rest of the step"


@dataclass(slots=True)
class Measured:
    """One ingestion: CPU seconds of it and of `orjson` over the same bytes, run by run; resident bytes after each."""

    path: list[float] = field(default_factory=list)
    decode: list[float] = field(default_factory=list)
    resident: list[int] = field(default_factory=list)
    events: int = 0
    duplicates: int = 0

    @property
    def ratio(self) -> float:
        """Cost in decodes, over everything."""
        return sum(self.path) / sum(self.decode)

    @property
    def median(self) -> float:
        """The median cost of a run in decodes."""
        return statistics.median(p / d for p, d in zip(self.path, self.decode, strict=True))

    @property
    def growth(self) -> float:
        """Resident memory in the last tenth of the log by that around its middle."""
        runs = len(self.resident)
        middle, last = self.resident[runs * 45 // 100 : runs * 55 // 100 + 1], self.resident[runs * 9 // 10 :]
        return statistics.median(last) / statistics.median(middle)


def main() -> None:
    """Runs the benchmark and prints its page."""
    parser = argparse.ArgumentParser(description="Cost of ingestion, in decodes.")
    parser.add_argument("--events", type=int, default=EVENTS)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as name:
        found, page = _bench(Path(name), given.events)
    page += f"\nThe whole benchmark took {time.monotonic() - started:.0f} s.\n"
    print(page)
    if given.out or given.events >= EVENTS:
        figures.write("ingest", SEED, found, page, given.out or figures.FOLDER)


def _bench(folder: Path, events: int) -> tuple[list[Figure], str]:
    log, side, warm = folder / "log.jsonl", folder / "side.jsonl", folder / "warm.jsonl"
    traffic.write(log, events, SEED)
    traffic.write(side, min(events, SIDE_EVENTS), SEED + 1)
    traffic.write(warm, WARM_EVENTS, SEED + 2)
    _ingest(warm, plan(), folder)  # compiles, and fills caches
    whole = _ingest(log, plan(), folder)
    beside = {
        f"{SLICES} slices, {SHADOW_SHARE:.0%} of the units sampled": _ingest(side, plan(share=SHADOW_SHARE), folder),
        f"{SLICES} slices, the shorter log": _ingest(side, plan(), folder),
        **{f"{slices} slices": _ingest(side, plan(slices), folder) for slices in MORE_SLICES},
    }
    parts = _parts(side, folder)
    found = [
        Figure("cost", whole.ratio, "decodes", GOAL),
        Figure("correction_of_16000_characters", _prompt_cost(), "us", PROMPT_GOAL),
        Figure("memory_growth_second_half", whole.growth, "times", GROWTH_GOAL),
    ]
    size = log.stat().st_size / events
    return found, _page(found, whole, size, beside, parts)


def _ingest(log: Path, watched: Plan, folder: Path) -> Measured:
    """Ingests a log into a new SQLite file; after each run decodes that run's bytes once more, with `orjson`."""
    measured, source, ingestion = _open(log, watched, folder)
    with log.open("rb") as again:

        def compare(batch: Batch) -> None:
            nonlocal since
            measured.path.append(time.process_time() - since)
            measured.resident.append(_resident())
            measured.decode.append(_decode(again.read(batch.end - batch.start)))
            since = time.process_time()

        since = time.process_time()
        summary = ingestion.read(source, compare)
    ingestion.finish(source)
    measured.events, measured.duplicates = summary.accepted + summary.duplicates, summary.duplicates
    assert not summary.quarantined, summary
    return measured


def _open(log: Path, watched: Plan, folder: Path) -> tuple[Measured, JsonlFile, Ingestion]:
    database = Path(tempfile.mkdtemp(dir=folder)) / "facts.db"
    engine = open_engine(f"sqlite:///{database}")
    upgrade(engine)
    return Measured(), JsonlFile(log, _clock), Ingestion(engine, watched, _clock)


def _decode(body: bytes) -> float:
    lines, loads = body.splitlines(), orjson.loads
    began = time.process_time()
    for line in lines:
        loads(line)
    return time.process_time() - began


def _parts(log: Path, folder: Path) -> dict[str, float]:
    """Microseconds an event by part of the path."""
    stopwatch = Stopwatch()
    _, source, ingestion = _open(log, plan(), folder)
    with stopwatch.watching(PARTS), stopwatch.running(REST):
        summary = ingestion.read(source)
    events = summary.accepted + summary.duplicates
    return {part: stopwatch.seconds[part] / events * 1e6 for part in (*PARTS, REST)}


def _prompt_cost() -> float:
    """Microseconds of the correction signal for one prompt of 16,000 characters, compared with the one before it."""
    rng = random.Random(SEED)
    words = " ".join(example["question"] for example in traffic.read("gsm8k")).split()
    prompts = []
    for _ in range(128):
        begin = rng.randrange(len(words) - 4_000)
        prompts.append(" ".join(words[begin:])[:PROMPT].ljust(PROMPT, "."))
    signatures(prompts)
    return statistics.median(_prompts(prompts) for _ in range(9)) / len(prompts) * 1e6


def _prompts(prompts: Sequence[str]) -> float:
    began = time.process_time()
    rows = signatures(prompts)
    for likeness, text in zip(likenesses(rows[:-1], rows[1:]), prompts[1:], strict=True):
        kind_of(likeness, text, None)
    return time.process_time() - began


def _resident() -> int:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * resource.getpagesize()


def _clock() -> int:
    return int(traffic.START + 86_400) * 1_000


def _page(
    found: Sequence[Figure], whole: Measured, size: float, beside: dict[str, Measured], parts: dict[str, float]
) -> str:
    decode = sum(whole.decode) / whole.events * 1e6
    path = sum(whole.path) / whole.events * 1e6
    host = figures.machine()
    total = sum(parts.values())
    rows = [(name, f"{cost:.2f}", f"{cost / total:.0%}") for name, cost in parts.items()]
    costs = [(name, f"{m.ratio:.2f}", f"{sum(m.path) / m.events * 1e6:.1f}") for name, m in beside.items()]
    last, beside_events = len(whole.resident) - 1, min(whole.events, SIDE_EVENTS)
    memory = [(f"{k} %", f"{whole.resident[last * k // 100] / 2**20:.0f}") for k in (10, 20, 40, 60, 80, 100)]
    return f"""# Ingestion

What the live path costs: {whole.events:,} native events of {size:,.0f} bytes, {whole.duplicates:,} of them duplicates,
read from a JSONL file, decoded, judged by all live signals, sliced, counted and committed to SQLite. One *decode* is
`orjson.loads` of the same bytes: after every run of the ingestion its bytes are decoded once more, so that both see
the same machine in the same seconds. CPU time of one process; {figures.today()}, {host["cores"]} cores, {host["cpu"]},
Python {host["python"]}. Made by `make bench`; seed {SEED}. The load average at the end was {os.getloadavg()[0]:.1f}:
above 1, other work ran beside and made both sides slower, not necessarily by as much.

{figures.promised(found)}
A decode took {decode:.2f} µs and the whole path {path:.2f} µs an event; the median run cost {whole.median:.2f} decodes.
{_missed(whole, parts)}
## Where the time goes
From {beside_events:,} events; µs an event and share of the path. Each part is measured without the parts
that it calls.

{figures.table(("part", "µs", "share"), rows)}
## How cost grows
From {beside_events:,} events. More slices mean more different memberships, each counted for itself; with 500,
most of them single tenants, few events of a minute share one. The main figure samples nothing for the shadow: what
sampling adds is the storing of whole events, pairs and queue rows.

{figures.table(("log", "decodes", "µs an event"), costs)}
## Memory
Resident MiB of the benchmark's process after so much of the log. Ids and conversations are remembered for lateness and
horizon, 10 minutes each; the log spans {whole.events / traffic.PER_SECOND / 3600:.1f} hours.

{figures.table(("read", "MiB"), memory)}"""


def _missed(whole: Measured, parts: dict[str, float]) -> str:
    """Which parts cost the most, where the goal is missed; why each costs so much is not measured here."""
    if whole.ratio <= GOAL:
        return ""
    total = sum(parts.values())
    dearest = sorted(parts, key=lambda part: -parts[part])[:4]
    named = "; ".join(f"{part} {parts[part] / total * whole.ratio:.2f}" for part in dearest)
    return f"""
The cost misses its goal. The dearest parts, in decodes: {named}. Decoding makes events that are kept until all
signals have looked at them, where `orjson` drops each value at once; how much of the cost comes from that, and how
much from the interpreter's steps, this benchmark does not tell apart.
"""


if __name__ == "__main__":
    main()
