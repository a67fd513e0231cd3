"""From the small model to the verdicts: builds, servers, their logs, and then only commands that the docs name."""

from __future__ import annotations

import json
import shlex
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from monitor.model import Message, Output, Sampling
from shadow.backends.backend import Request
from tests.engines.fill import REFERENCE, fill
from tests.engines.record import record
from tests.engines.servers import PYTHON, ROOT, serving
from tests.engines.traffic import MOST_TOKENS, Json, prompts, right

FOLDER = ROOT / "var" / "engines"
MODEL = ROOT / "shadow" / "data" / "model"
BUILDS = ("small-f16", "small-q8_0", "small-q4_0", "small-q2_k")
REQUESTS = 1_200
ALIKE = 200
"""So many prompts are also put to the model as transformers runs it."""
ENDED = {0, 1, 2}


class Step(msgspec.Struct, frozen=True):
    """One command, what it printed, how it ended, and how long it took."""

    command: str
    printed: str
    code: int
    seconds: float


class Build(msgspec.Struct, frozen=True):
    """What is known of one build's answers because the prompts have right answers, by route: counts and of how many."""

    right: dict[str, tuple[int, int]]
    other: dict[str, tuple[int, int]]
    """Answers that are not the reference's."""


class Story(msgspec.Struct, frozen=True):
    """One whole run. `as_transformers` counts answers of the reference server that are transformers' own."""

    date: str
    bytes: dict[str, int]
    as_transformers: tuple[int, int]
    builds: dict[str, Build]
    plan: str
    steps: list[Step]
    verdicts: dict[str, Json]

    def step(self, words: str) -> Step:
        """The step of a command."""
        return next(step for step in self.steps if step.command.startswith(f"quantwatch {words}"))


def tell(folder: Path = FOLDER) -> Story:
    """Runs all of it in a folder, made anew, and keeps the story there as `story.json`."""
    _made_anew(folder)
    subprocess.run([PYTHON, "-m", "tests.engines.convert", MODEL, folder / "models"], cwd=ROOT, check=True)
    models = {name: folder / "models" / f"{name}.gguf" for name in (REFERENCE, *BUILDS)}
    asked = prompts(REQUESTS)
    with serving(list(models.values()), folder / "servers") as urls:
        reference = record(urls[REFERENCE], REFERENCE, asked, folder / "servers" / "reference.jsonl")
        builds = {}
        for name in BUILDS:
            answers = record(urls[name], name, asked, folder / f"{name}.jsonl")
            builds[name] = Build(right(asked, answers), _other(asked, answers, reference))
        builds[REFERENCE] = Build(right(asked, reference), {})
        plan, steps = _commands(folder, urls)
    story = Story(
        date=time.strftime("%Y-%m-%d", time.gmtime()),
        bytes={name: model.stat().st_size for name, model in models.items()},
        as_transformers=_as_transformers(asked[:ALIKE], reference[:ALIKE]),
        builds=builds,
        plan=plan,
        steps=steps,
        verdicts={name: json.loads(_verdict(folder, name, "--json").printed) for name in BUILDS},
    )
    (folder / "story.json").write_bytes(msgspec.json.encode(story))
    return story


def _made_anew(folder: Path) -> None:
    (folder / "servers").mkdir(parents=True, exist_ok=True)
    for left in ("quantwatch.yaml", "quantwatch.db", "quantwatch.db-wal", "quantwatch.db-shm", "story.json"):
        (folder / left).unlink(missing_ok=True)


def _commands(folder: Path, urls: Mapping[str, str]) -> tuple[str, list[Step]]:
    """The commands up to the verdicts, in the order of docs/engines-llamacpp.md; and the plan, filled in."""
    logs = shlex.join(f"{name}.jsonl" for name in BUILDS)
    steps = [run(folder, f"quantwatch ingest {logs} --dry-run"), run(folder, f"quantwatch plan init {logs}")]
    plan = fill(steps[-1].printed, urls)
    (folder / "quantwatch.yaml").write_text(plan)
    sample = " ".join(f"--log {name}.jsonl" for name in BUILDS)
    later = (
        f"plan check quantwatch.yaml {sample}",
        f"doctor {sample}",
        f"ingest {logs}",
        "shadow --until-empty",
    )
    steps += [run(folder, f"quantwatch {words}") for words in later]
    return plan, [*steps, *(_verdict(folder, name) for name in BUILDS)]


def _verdict(folder: Path, name: str, *more: str) -> Step:
    return run(folder, shlex.join(["quantwatch", "verdict", name, "--as-of", "end", *more]))


def run(folder: Path, command: str) -> Step:
    """One command in the folder; its progress goes where ours does."""
    program, *words = shlex.split(command)
    began = time.monotonic()
    done = subprocess.run(
        [ROOT / ".venv" / "bin" / program, *words], cwd=folder, stdout=subprocess.PIPE, text=True, check=False
    )
    return Step(command, done.stdout, done.returncode, round(time.monotonic() - began, 1))


def _other(asked: Sequence[Json], answers: Sequence[Output], reference: Sequence[Output]) -> dict[str, tuple[int, int]]:
    found: dict[str, tuple[int, int]] = {}
    for prompt, one, two in zip(asked, answers, reference, strict=True):
        count, of = found.get(prompt["route"], (0, 0))
        found[prompt["route"]] = (count + (_said(one) != _said(two)), of + 1)
    return found


def _said(output: Output) -> object:
    return output.text, output.tool_calls


def _as_transformers(asked: Sequence[Json], answers: Sequence[Output]) -> tuple[int, int]:
    """How many answers are the very ones of the model in safetensors, by the same requests in this process."""
    from shadow.backends.transformers import TransformersBackend

    backend = TransformersBackend.load(MODEL)
    own = backend.generate([_request(number, prompt) for number, prompt in enumerate(asked)])
    return sum(_said(one) == _said(two) for one, two in zip(own, answers, strict=True)), len(asked)


def _request(number: int, prompt: Json) -> Request:
    messages = tuple(Message(turn["role"], turn["content"]) for turn in prompt["messages"])
    sampling = Sampling(temperature=0.0, max_tokens=MOST_TOKENS, tool_choice="required")
    return Request(str(number), messages, prompt["tools"], prompt["response_format"], sampling, MOST_TOKENS)
