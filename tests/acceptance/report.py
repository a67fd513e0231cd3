"""Writes the tables of `docs/real-pairs.md` anew, from the real commands.

python -m tests.acceptance.report
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from monitor.model import Check, Decision, Verdict
from monitor.plan import Plan
from services.planfile import read_plan
from tests.acceptance import llama31, raw, xstest
from tests.acceptance.journey import Journey, check

ROOT = Path(__file__).parents[2]
DOCUMENT = ROOT / "docs" / "real-pairs.md"
PLAN = Path("tests") / "acceptance" / "plan.yaml"
SEEDS = range(1, 6)
Lines = Iterator[str]


def llama31_raw(folder: Path) -> Lines:
    """What the pairs say by themselves."""
    yield "| build | task | pairs | score, points | answers alike | length, times | JSON that does not parse |"
    yield "|---|---|---|---|---|---|---|"
    for variant in llama31.VARIANTS:
        for task in llama31.TASKS:
            score, length = raw.score_differences(variant, task), raw.length_octaves(variant, task)
            bad = f"{raw.invalid_json(variant).sum()}, fp16 {raw.invalid_json(llama31.REFERENCE).sum()}"
            yield (
                f"| {variant} | {task} | {len(score)} | {score.mean() * 100:+.2f} ± {raw.mean_error(score) * 100:.2f} "
                f"| {raw.alike(variant, task)} | {2 ** length.mean():.2f} | {bad if task == 'extraction' else ''} |"
            )


def llama31_judged(folder: Path) -> Lines:
    """The score's check and the length's finding, for both ways to watch."""
    yield (
        "| watched as | build | task | harm, points | interval | log evidence, fails at | decision | more pairs "
        "| length, log evidence, found at |"
    )
    yield "|---|---|---|---|---|---|---|---|---|"
    for way, plan, by_task in (("no plan", Plan(), True), ("plan.yaml", read_plan(str(ROOT / PLAN)), False)):
        (store := folder / way).mkdir()
        journey = Journey(store, plan)
        journey.take(llama31.events(by_task=by_task))
        verdicts = journey.look()
        for variant in llama31.VARIANTS:
            for task in llama31.TASKS:
                deployment, name = (task, "all") if by_task else (llama31.DEPLOYMENT, task)
                verdict = verdicts[deployment, variant]
                score = _score(check(verdict, "score", name))
                yield f"| {way} | {variant} | {task} | {score} | {_length(verdict, name)} |"


def _score(found: Check) -> str:
    needs = "" if found.needs_pairs is None else f"{found.needs_pairs:,}"
    return (
        f"{_points(found.harm.estimate)} | {_points(found.harm.lower)} to {_points(found.harm.upper)} "
        f"| {found.log_evidence:.2f}, {found.threshold:.2f} | {found.decision} | {needs}"
    )


def _length(verdict: Verdict, name: str) -> str:
    found = [
        f"{f.log_evidence:.2f}, {f.threshold:.2f}" for f in verdict.findings if (f.signal, f.slice) == ("length", name)
    ]
    return found[0] if found else "not found"


def llama31_commands(folder: Path) -> Lines:
    """The commands with their true output."""
    yield from _session(
        folder / "by-task", True, [f"{v} --deployment {t}" for t in llama31.TASKS for v in llama31.VARIANTS]
    )
    yield ""
    yield from _session(folder / "slices", False, [f"{v} --plan {PLAN}" for v in llama31.VARIANTS])


def _session(folder: Path, by_task: bool, questions: list[str]) -> Lines:
    folder.mkdir()
    option, log = (" --by-task", "by-task.jsonl") if by_task else ("", "llama31.jsonl")
    yield "```console"
    yield f"$ python -m tests.acceptance.llama31{option} > {log}"
    events = _run(folder, sys.executable, "-m", "tests.acceptance.llama31", *option.split())[0]
    (folder / log).write_text(events, encoding="utf-8")
    plan = "" if by_task else f" --plan {PLAN}"
    for words in (f"ingest {log}{plan}", *(f"verdict {question} --as-of end" for question in questions)):
        yield f"$ quantwatch {words}"
        given = [str(ROOT / word) if word == str(PLAN) else word for word in words.split()]
        said, code = _run(folder, sys.executable, "-m", "services", *given)
        yield from (line.rstrip() for line in said.splitlines())
        yield f"(exit code {code})"
    yield "```"


def _run(folder: Path, *arguments: str) -> tuple[str, int]:
    world = {**os.environ, "PYTHONPATH": str(ROOT), "QUANTWATCH_DB": f"sqlite:///{folder / 'q.db'}", "COLUMNS": "120"}
    done = subprocess.run(arguments, cwd=folder, env=world, capture_output=True, text=True, check=False)
    if done.returncode not in (0, 1, 2):
        raise SystemExit(done.stderr)
    return done.stdout, done.returncode


def xstest_relatives(folder: Path) -> Lines:
    """Each system against its relative, both ways, with a look every minute."""
    yield (
        "| reference | candidate | people: refuses, points | classifier: points | interval | alert | after pairs "
        "| log evidence at the end, fails at |"
    )
    yield "|---|---|---|---|---|---|---|---|"
    both_ways = [pair for a, b in xstest.RELATIVES for pair in ((a, b), (b, a))]
    for reference, candidate in both_ways:
        people = (raw.human_refusals(candidate) - raw.human_refusals(reference)).mean()
        direction = "more" if people > 0 else "less"
        looks, journey = _stream(folder, candidate, reference)
        first = next(check(v, "refusal", direction=direction) for v in looks if v.decision is Decision.FAIL)
        last = check(looks[-1], "refusal", direction=direction)
        sign = 1 if direction == "more" else -1
        ends = sorted(sign * end for end in (last.harm.lower or 0.0, last.harm.upper or 0.0))
        told = ", ".join(s.finding.direction for s in journey.alerts(xstest.DEPLOYMENT, candidate, "refusal"))
        yield (
            f"| {reference} | {candidate} | {people * 100:+.1f} | {_points(sign * (last.harm.estimate or 0.0))} "
            f"| {_points(ends[0])} to {_points(ends[1])} | {told} | {first.pairs} "
            f"| {last.log_evidence:.2f}, {last.threshold:.2f} |"
        )


def _stream(folder: Path, candidate: str, reference: str) -> tuple[list[Verdict], Journey]:
    (store := folder / f"{candidate}-{reference}").mkdir()
    journey = Journey(store, weights=xstest.OUT_OF_FAMILY[candidate])
    journey.take(xstest.relatives(reference, candidate))
    return journey.look_often(xstest.START, xstest.END, every=60), journey


def xstest_halves(folder: Path) -> Lines:
    """Random halves of one system, with a look every ten minutes."""
    yield "| system | seeds | pairs each | largest difference | most log evidence at any look, fails at | alerts |"
    yield "|---|---|---|---|---|---|"
    for system, weights in xstest.OUT_OF_FAMILY.items():
        (store := folder / f"{system}-halves").mkdir()
        journey = Journey(store, weights=weights)
        journey.take(event for seed in SEEDS for event in xstest.halves(system, seed))
        looks = journey.look_often(xstest.START, xstest.END)
        checks = [c for verdict in looks for c in verdict.checks if c.signal == "refusal"]
        worst = max(checks, key=lambda c: c.log_evidence)
        whole = [c.harm.estimate or 0.0 for c in checks if c.pairs == max(c.pairs for c in checks)]
        told = sum(len(journey.alerts(xstest.DEPLOYMENT, v, "refusal")) for v in {v.variant for v in looks})
        yield (
            f"| {system} | {len(SEEDS)} | {max(c.pairs for c in checks)} | {max(whole) * 100:.1f} "
            f"| {worst.log_evidence:.2f}, {worst.threshold:.2f} | {told} |"
        )


def _points(value: float | None) -> str:
    return "-" if value is None else f"{value * 100:+.1f}"


TABLES: dict[str, Callable[[Path], Lines]] = {
    "llama31-raw": llama31_raw,
    "llama31-judged": llama31_judged,
    "llama31-commands": llama31_commands,
    "xstest-relatives": xstest_relatives,
    "xstest-halves": xstest_halves,
}


def replaced(text: str, marker: str, lines: list[str]) -> str:
    """The text with other lines between `<!-- marker -->` and `<!-- /marker -->`; ValueError where they are missing."""
    before, begin, rest = text.partition(f"<!-- {marker} -->\n")
    _, end, after = rest.partition(f"<!-- /{marker} -->")
    if not begin or not end:
        raise ValueError(f"the document has no place for {marker}")
    return before + begin + "\n".join(lines) + "\n" + end + after


def main() -> None:
    """Runs everything and writes the document."""
    text = DOCUMENT.read_text(encoding="utf-8")
    with tempfile.TemporaryDirectory() as folder:
        for marker, table in TABLES.items():
            text = replaced(text, marker, list(table(Path(folder))))
    DOCUMENT.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
