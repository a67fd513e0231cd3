"""The labelled texts beside this file, as rows."""

from __future__ import annotations

import gzip
import hashlib
import json
from dataclasses import dataclass
from importlib.resources import files

DATA = files("monitor") / "training" / "data"
LABELS = ("none", "partial", "full")


@dataclass(frozen=True, slots=True)
class Completion:
    """One answer of one system to one XSTest prompt; `label` is the annotators' final word."""

    prompt: str
    model: str
    text: str
    label: str
    gpt4: str
    strmatch: str

    @property
    def family(self) -> str:
        """llama2, mistral or gpt4."""
        return next(name for name in ("llama2", "mistral", "gpt4") if self.model.startswith(name))


@dataclass(frozen=True, slots=True)
class Turn:
    """One user turn, the user turn before it, and whether annotators call it feedback on an error."""

    source: str
    dialog: str
    kind: str
    label: str
    type: str | None
    previous: str | None
    answer: str | None
    text: str

    @property
    def tuning(self) -> bool:
        """Whether the dialog lies in the half that patterns may be chosen on; the other half is for measuring."""
        return hashlib.sha256(self.dialog.encode()).digest()[0] % 2 == 0


def completions() -> list[Completion]:
    """XSTest completions in file order."""
    return [
        Completion(row["prompt_id"], row["model"], row["text"], row["label"], row["gpt4"], row["strmatch"])
        for row in _rows("xstest.jsonl.gz")
    ]


def turns() -> list[Turn]:
    """User turns in file order."""
    return [Turn(**row) for row in _rows("ukp.jsonl.gz")]


def phrases() -> list[tuple[str, str]]:
    """(label, text) of the project's own short examples."""
    lines = (DATA / "refusal_phrases.tsv").read_text(encoding="utf-8").splitlines()
    pairs = (line.split("\t", 1) for line in lines)
    return [(label, text.replace("\\n", "\n")) for label, text in pairs]


def _rows(name: str) -> list[dict[str, str]]:
    with (DATA / name).open("rb") as file, gzip.open(file, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]
