"""The docs say what the code says."""

from __future__ import annotations

import ast
import dataclasses
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest
import yaml

from monitor.dialects.mapping import InputRule, LoadRule, MappingRule, Place, TimingsRule
from monitor.model import Event, Feedback, QuantFormat, ScoreReport
from monitor.plan import (
    ArmRule,
    BudgetRule,
    CorrectionRule,
    DeploymentRule,
    JoinRule,
    PatternRule,
    Plan,
    PolicyRule,
    PriceRule,
    SchemaRule,
    ShadowRule,
    SignalRule,
    SliceRule,
    VariantRule,
    WebhookRule,
    Where,
)
from monitor.wire import decode
from services.cli import COMMANDS
from services.planfile import parse_plan
from tests.unit.project import helptexts

ROOT = Path(__file__).parents[3]
SECTIONS: dict[str, type] = {
    "## The whole plan": Plan,
    "## A deployment": DeploymentRule,
    "## A variant": VariantRule,
    "### Its format": QuantFormat,
    "### Its arm": ArmRule,
    "### Its price per million": PriceRule,
    "## A schema": SchemaRule,
    "## A slice": SliceRule,
    "### Its conditions": Where,
    "## A signal": SignalRule,
    "## A pattern": PatternRule,
    "## Shadow": ShadowRule,
    "## Correction": CorrectionRule,
    "## Joins": JoinRule,
    "## Budget": BudgetRule,
    "## Policy": PolicyRule,
    "## A webhook": WebhookRule,
    "## Input": InputRule,
    "### Its mapping": MappingRule,
    "### Its timings": TimingsRule,
    "### Its load": LoadRule,
    "### A place": Place,
}
RECORDS: dict[str, type] = {"## A request": Event, "## A score, later": ScoreReport, "## Feedback": Feedback}
WORDS = {"none": None, "empty": (), "see below": ..., "see above": ..., "by signal": None, "required": "required"}


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def documents() -> list[str]:
    found = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "deploy").rglob("*.md")]
    return sorted(str(path.relative_to(ROOT)) for path in found)


def section(text: str, heading: str) -> str:
    """What stands under a heading, up to the next one."""
    return re.split(r"^#+ ", text.split(f"\n{heading}\n", 1)[1], maxsplit=1, flags=re.MULTILINE)[0]


def rows(text: str) -> list[list[str]]:
    """The cells of a table, without its two head lines."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


def test_every_command_is_in_the_docs() -> None:
    readme, described = read("README.md"), read("docs/commands.md")

    assert [name for name in COMMANDS if f"## `quantwatch {name}`" not in described] == []
    assert [name for name in COMMANDS if f"quantwatch {name}" not in readme] == []


@pytest.mark.parametrize("file", helptexts.files(), ids=lambda file: file.name)
def test_generated_parts_are_up_to_date(file: Path) -> None:
    text = file.read_text(encoding="utf-8")

    assert text == helptexts.rewritten(text), "make docs writes them anew"


@pytest.mark.parametrize("heading", SECTIONS)
def test_every_key_of_the_plan_is_described_with_its_default(heading: str) -> None:
    said = {key.strip("`"): default for key, default, _ in rows(section(read("docs/plan.md"), heading))}
    fields = list(defaults(SECTIONS[heading]))

    assert list(said) == [name for name, _ in fields]
    assert [name for name, default in fields if not agrees(said[name], default)] == []


def defaults(shape: type) -> Iterator[tuple[str, Any]]:
    """Each key with its default; `required` where there is none."""
    if dataclasses.is_dataclass(shape):
        yield from ((field.name, field.default) for field in dataclasses.fields(shape))
        return
    for field in msgspec.structs.fields(shape):
        if field.required:
            yield field.name, "required"
        else:
            yield field.name, field.default if field.default is not msgspec.NODEFAULT else field.default_factory()


def agrees(said: str, default: Any) -> bool:
    """Whether a table's cell says a default."""
    if said in WORDS:
        wanted = WORDS[said]
        empty = wanted == () and default in ((), {}, "")
        return empty or wanted == default or (wanted is ... and isinstance(default, msgspec.Struct | QuantFormat))
    value = yaml.safe_load(said.strip("`"))
    return bool((tuple(value) if isinstance(value, list) else value) == default or str(value) == default)


@pytest.mark.parametrize("name", ["docs/plan.md", "deploy/quantwatch.yaml"])
def test_an_example_plan_is_right(name: str) -> None:
    text = read(name)

    plan = parse_plan(blocks(text, "yaml")[0] if name.endswith(".md") else text)

    assert plan.deployments


@pytest.mark.parametrize("heading", RECORDS)
def test_an_example_event_is_taken(heading: str) -> None:
    (example,) = blocks(section(read("docs/events.md"), heading), "json")

    assert type(decode(example.encode())) is RECORDS[heading]


@pytest.mark.parametrize("heading", RECORDS)
def test_every_field_of_an_event_is_described(heading: str) -> None:
    said = {row[0].strip("`") for row in rows(section(read("docs/events.md"), heading))}
    known = set(fields_of(RECORDS[heading]))
    as_output = {name.replace("output.", "", 1) for name in known if name.startswith("output.")}
    elsewhere = {f"reference.{name}" for name in as_output} | {f"messages[].{name}" for name in as_output}

    assert known - elsewhere - said == set()
    assert said - known == set()


def fields_of(shape: type, path: str = "") -> Iterator[str]:
    """The fields of a record as paths."""
    for field in msgspec.structs.fields(shape):
        yield path + field.encode_name
        for part in (field.type, *get_args(field.type)):
            inner = [part, *get_args(part)] if get_args(part) else [part]
            listed = "[]" if tuple in (getattr(p, "__origin__", None) for p in (field.type, part)) else ""
            for each in inner:
                if isinstance(each, type) and issubclass(each, msgspec.Struct):
                    yield from fields_of(each, f"{path}{field.encode_name}{listed}.")


def test_every_reason_of_quarantine_is_described() -> None:
    described = {row[0].strip("`") for row in rows(section(read("docs/events.md"), "## Quarantine"))}
    code = "\n".join(file.read_text(encoding="utf-8") for file in (ROOT / "monitor").rglob("*.py"))
    raised = set(re.findall(r'Reject\("([a-z_0-9]+)"', code)) | {"unmatched_score", "unmatched_feedback"}
    reason = next(
        node for node in ast.walk(ast.parse(read("monitor/wire.py"))) if getattr(node, "name", "") == "_reason"
    )
    raised |= {n.value for n in ast.walk(reason) if isinstance(n, ast.Constant) and isinstance(n.value, str)}

    assert raised == described


def test_the_architecture_names_every_package() -> None:
    text = read("docs/architecture.md")
    packages = sorted(path.parent for path in ROOT.glob("*/__init__.py"))

    assert [path.name for path in packages if f"`{path.name}/`" not in text] == []
    assert [name for name in ("deploy", "tests") if f"`{name}/`" not in text] == []


@pytest.mark.parametrize("name", documents())
def test_what_a_document_points_to_is_there(name: str) -> None:
    text = re.sub(r"```.*?```", "", read(name), flags=re.DOTALL)
    links = re.findall(r"[^!]\[[^\]]*\]\(([^)#\s]+)", text)
    modules = re.findall(r"`((?:monitor|services|shadow|dashboard|migrations|tests)/[\w/]+\.\w+)`", text)
    pointed = [(ROOT / name).parent / link for link in links if "://" not in link] + [ROOT / path for path in modules]

    assert [str(path) for path in pointed if not path.exists()] == []


def test_the_readme_opens_with_its_two_commands() -> None:
    opening = read("README.md").splitlines()[:40]

    assert [command for command in ("make demo", "make test") if not any(command in line for line in opening)] == []
