"""Figures of a benchmark: what was promised, what was measured, whether it holds; written for machines and people."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import msgspec

FOLDER = Path(__file__).parents[2] / "docs" / "benchmarks"


@dataclass(frozen=True, slots=True)
class Figure:
    """One promised number."""

    name: str
    value: float
    unit: str
    goal: float
    better: Literal["lower", "higher"] = "lower"

    @property
    def holds(self) -> bool:
        """Whether the promise is kept."""
        return self.value <= self.goal if self.better == "lower" else self.value >= self.goal


def write(
    name: str,
    seed: int,
    figures: Sequence[Figure],
    page: str,
    folder: Path = FOLDER,
    measured: Mapping[str, float] | None = None,
) -> None:
    """Writes `NAME.json`, and `NAME.md` from the figures' table and the rest of the page.

    `measured` are numbers that nothing was promised of.
    """
    folder.mkdir(parents=True, exist_ok=True)
    rows = [
        {
            "name": figure.name,
            "value": round(figure.value, 4),
            "unit": figure.unit,
            "goal": figure.goal,
            "better": figure.better,
            "holds": figure.holds,
        }
        for figure in figures
    ]
    body: dict[str, Any] = {"name": name, "date": today(), "seed": seed, "machine": machine(), "figures": rows}
    if measured:
        body["measured"] = {name: round(value, 4) for name, value in measured.items()}
    (folder / f"{name}.json").write_bytes(msgspec.json.format(msgspec.json.encode(body), indent=2) + b"\n")
    (folder / f"{name}.md").write_text(page, encoding="utf-8")


def promised(figures: Sequence[Figure]) -> str:
    """The figures as a table."""
    signs = {"lower": "at most", "higher": "at least"}
    return table(
        ("promised", "measured", "goal", "holds"),
        [
            (
                figure.name.replace("_", " "),
                f"{figure.value:.3g} {figure.unit}",
                f"{signs[figure.better]} {figure.goal:g}",
                "yes" if figure.holds else "**no**",
            )
            for figure in figures
        ],
    )


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table; all columns but the first are numbers."""
    lines = [head, ["---", *("---:" for _ in head[1:])], *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def today() -> str:
    """The date, by UTC."""
    return datetime.now(UTC).date().isoformat()


def machine() -> dict[str, str | int]:
    """What kind of machine this is; nothing that names it."""
    return {"cores": os.cpu_count() or 0, "cpu": _cpu(), "python": platform.python_version()}


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return platform.machine()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())
