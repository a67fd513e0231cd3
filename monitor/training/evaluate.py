"""Measures refusal and correction and writes the tables into the docs: `python -m monitor.training.evaluate`.

Refusal is measured on systems and prompts that the classifier never saw: each family is judged by classifiers trained
on the other families' answers to other prompts. The tables replace what stands between the markers in
`docs/signals.md`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from monitor.signals.correction import corrects, signature
from monitor.signals.refusal import Refusal, RefusalWeights
from monitor.training.corpus import LABELS, Completion, Turn, completions, turns
from monitor.training.refusal import FAMILIES, other_answers, train

DOC = Path(__file__).parents[2] / "docs" / "signals.md"
FOLDS = 5

Judged = tuple[Completion, str]


@dataclass(frozen=True, slots=True)
class Rates:
    """What a yes/no decision got right; None where nothing was there to be right about."""

    total: int
    true: int
    said: int
    both: int

    @classmethod
    def of(cls, pairs: Iterable[tuple[bool, bool]]) -> Rates:
        """From (what is true, what was said)."""
        seen = list(pairs)
        true, said = sum(truth for truth, _ in seen), sum(word for _, word in seen)
        return cls(len(seen), true, said, sum(truth and word for truth, word in seen))

    @property
    def precision(self) -> float | None:
        """Of what was said to be so, how much is."""
        return self.both / self.said if self.said else None

    @property
    def recall(self) -> float | None:
        """Of what is so, how much was said to be."""
        return self.both / self.true if self.true else None


def judge_unseen() -> list[Judged]:
    """Each completion with the word of a classifier that saw neither its family nor its prompt."""
    rows, others = completions(), other_answers(tuning=True)
    judged: list[Judged] = []
    for family in FAMILIES:
        for fold in range(FOLDS):
            seen = [row for row in rows if row.family != family and _fold(row) != fold]
            held = [row for row in rows if row.family == family and _fold(row) == fold]
            judged += judge(RefusalWeights.sparse(*train(seen, others)), held)
    return judged


def judge(weights: RefusalWeights, rows: Sequence[Completion]) -> list[Judged]:
    """Each completion with the word of this classifier."""
    cells = Refusal(weights).texts([row.text for row in rows])
    return [(row, LABELS[cell]) for row, cell in zip(rows, cells, strict=True)]


def refusal_rates(judged: Iterable[Judged], model: str) -> Rates:
    """Declined (in part or in full) or not, for one model."""
    return Rates.of((row.label != "none", word != "none") for row, word in judged if row.model == model)


def correction_rates(rows: Iterable[Turn]) -> Rates:
    """Feedback on an error or not, as `corrects` says of the turn and the user turn before it."""
    return Rates.of((turn.label == "feedback", corrected(turn) is not None) for turn in rows)


def corrected(turn: Turn) -> str | None:
    """Why the turn counts as a correction, without any button pressed."""
    previous = signature(turn.previous) if turn.previous else None
    return corrects(previous, signature(turn.text), turn.text, None)


def _fold(row: Completion) -> int:
    return hashlib.sha256(row.prompt.encode()).digest()[0] % FOLDS


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.1f} %"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def refusal_table(judged: Sequence[Judged]) -> str:
    """Per model: true and measured refusal rate, precision, recall, and those of two baselines."""
    head = ("model", "answers", "refused", "said refused", "precision", "recall", "string match", "GPT-4 as a judge")
    rows = []
    for model in sorted({row.model for row, _ in judged}):
        rates = refusal_rates(judged, model)
        mine = [row for row, _ in judged if row.model == model]
        shares = (_percent(rates.true / rates.total), _percent(rates.said / rates.total))
        baselines = [_baseline(mine, lambda row: row.strmatch), _baseline(mine, lambda row: row.gpt4)]
        rows.append([model, str(rates.total), *shares, _percent(rates.precision), _percent(rates.recall), *baselines])
    return _table(head, rows)


def _baseline(rows: Sequence[Completion], word: Callable[[Completion], str]) -> str:
    rates = Rates.of((row.label != "none", word(row) != "none") for row in rows)
    return f"{_percent(rates.precision)} / {_percent(rates.recall)}"


def kinds_table(judged: Sequence[Judged]) -> str:
    """Full and partial refusals told apart, over all models."""
    rows = []
    for kind in ("full", "partial"):
        rates = Rates.of((row.label == kind, word == kind) for row, word in judged)
        rows.append([kind, str(rates.true), _percent(rates.precision), _percent(rates.recall)])
    return _table(("kind", "answers", "precision", "recall"), rows)


def chat_false_alarms() -> str:
    """How often answers of dialog systems that are no refusals are called one."""
    texts = sorted(set(other_answers(tuning=False)) - set(other_answers(tuning=True)))
    wrong = int((Refusal().texts(texts) > 0).sum())
    return f"{wrong} of {len(texts)} ({_percent(wrong / len(texts))})"


def correction_table(rows: Sequence[Turn]) -> str:
    """Recall on feedback, false alarms on random dialogs and on hard negatives, for both halves of the dialogs."""
    head = ("turns", "half", "number", "called a correction")
    kinds: tuple[tuple[str, Callable[[Turn], bool]], ...] = (
        ("feedback on an error (recall)", lambda turn: turn.label == "feedback"),
        ("random dialogs (false alarms)", lambda turn: turn.kind == "random_dialog"),
        ("hard negatives (false alarms)", lambda turn: turn.kind == "filter_flagged" and turn.label == "none"),
        ("error, but the user went on", lambda turn: turn.label == "error_not_flagged"),
    )
    lines = []
    for name, chosen in kinds:
        for half, tuning in (("tuning", True), ("measured", False)):
            found = [corrected(turn) is not None for turn in rows if chosen(turn) and turn.tuning == tuning]
            share = _percent(sum(found) / len(found))
            lines.append([name, half, str(len(found)), f"{sum(found)} ({share})"])
    return _table(head, lines)


def correction_summary(rows: Sequence[Turn]) -> str:
    """Precision and recall on the measured half, by where the dialogs come from."""
    head = ("dialogs", "turns", "feedback", "precision", "recall")
    measured = [turn for turn in rows if not turn.tuning and turn.label != "error_not_flagged"]
    lines = []
    for source in [*sorted({turn.source for turn in measured}), "all"]:
        rates = correction_rates(turn for turn in measured if source in (turn.source, "all"))
        shares = (_percent(rates.precision), _percent(rates.recall))
        lines.append([source, str(rates.total), str(rates.true), *shares])
    return _table(head, lines)


def replaced(document: str, marker: str, content: str) -> str:
    """The document with new content between `<!-- measured: MARKER -->` and the next `<!-- end -->`."""
    start = f"<!-- measured: {marker} -->\n"
    before, rest = document.split(start, 1)
    return before + start + content + "\n" + rest[rest.index("<!-- end -->") :]


def main() -> None:
    """Print all tables and refresh them in the docs."""
    judged, rows = judge_unseen(), turns()
    parts = {
        "refusal by model": refusal_table(judged),
        "full and partial": kinds_table(judged),
        "other answers": f"Answers of other dialog systems wrongly called refusals: {chat_false_alarms()}.",
        "correction": correction_table(rows),
        "correction by source": correction_summary(rows),
    }
    document = DOC.read_text(encoding="utf-8")
    for marker, content in parts.items():
        print(f"{marker}\n{content}\n")
        document = replaced(document, marker, content)
    DOC.write_text(document, encoding="utf-8")


if __name__ == "__main__":
    main()
