"""What `deploy/` starts is what the code has."""

from __future__ import annotations

import fnmatch
import importlib
import re
import tomllib
from pathlib import Path
from typing import Any

import click
import pytest

from services.cli import COMMANDS
from services.planfile import parse_plan
from tests.support import compose

ROOT = Path(__file__).parents[3]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
DOCKERFILE = (ROOT / "deploy/Dockerfile").read_text(encoding="utf-8")
GIVEN = {"POSTGRES_PASSWORD": "p", "QUANTWATCH_TOKEN": "t"}
OURS = compose.ours(GIVEN)


def instructions(word: str) -> list[str]:
    return re.findall(rf"^{word} (.*)$", DOCKERFILE, re.MULTILINE)


def copied() -> set[str]:
    """What the image is built of."""
    lines = [line.split() for line in instructions("COPY") if not line.startswith("--from")]
    return {source for line in lines for source in line[:-1]}


def option(words: list[str], name: str) -> str | None:
    return words[words.index(name) + 1] if name in words else None


def listening(service: dict[str, Any]) -> str | None:
    """The port that a service's command listens on."""
    words = service["command"]
    return option(words, "--port") or (option(words, "--health") or "").rpartition(":")[2] or None


@pytest.mark.parametrize("name", OURS)
def test_every_command_is_one_of_ours_with_these_options(name: str) -> None:
    first, *rest = OURS[name]["command"]
    command: click.Command = importlib.import_module(f"services.commands.{COMMANDS[first]}").command
    while isinstance(command, click.Group):
        command, rest = command.commands[rest[0]], rest[1:]

    words = [*rest, *(["--kafka", "k"] if needs_kafka(command) else [])]
    with command.make_context(first, words, help_option_names=["-h", "--help"]) as context:
        assert context.args == []


def needs_kafka(command: click.Command) -> bool:
    return any(parameter.name == "kafka" for parameter in command.params)


def test_all_processes_of_the_distributed_mode_are_there() -> None:
    started = {service["command"][0] for service in OURS.values()}

    assert started >= {"stream", "assess", "api", "intake", "dispatch", "shadow", "dashboard", "topics", "db"}


def test_every_variable_that_is_set_is_read() -> None:
    readers = "".join(
        (ROOT / file).read_text(encoding="utf-8") for file in ("services/settings.py", "dashboard/settings.py")
    )
    names = {name for service in OURS.values() for name in service["environment"]}

    assert {name for name in names if f'"{name}"' not in readers} == {"PGPASSWORD"}  # the database driver reads that


@pytest.mark.parametrize("name", OURS)
def test_a_service_is_asked_for_health_where_it_listens(name: str) -> None:
    service = OURS[name]
    asked = re.findall(r"127\.0\.0\.1:(\d+)", " ".join(service.get("healthcheck", {}).get("test", [])))

    assert asked == [port for port in [listening(service)] if port]


def test_nothing_can_be_reached_from_other_machines() -> None:
    published = [port for service in compose.services(GIVEN).values() for port in service.get("ports", [])]

    assert published
    assert [port for port in published if not port.startswith("127.0.0.1:")] == []


@pytest.mark.parametrize("name", [name for name, service in OURS.items() if "ports" in service])
def test_what_is_published_is_where_it_listens(name: str) -> None:
    assert [port.rpartition(":")[2] for port in OURS[name]["ports"]] == [listening(OURS[name])]


def test_secrets_have_no_default() -> None:
    asked = compose.variables()
    example = (compose.DEPLOY / "env.example").read_text(encoding="utf-8")
    empty = set(re.findall(r"^(\w+)=$", example, re.MULTILINE))

    assert {name for name, how in asked.items() if how == ":?"} == empty == set(GIVEN)
    assert not [name for name in asked if name not in example]


def test_every_extra_exists_and_the_workers_image_has_neither_torch_nor_pages() -> None:
    extras = {name: service["build"]["args"]["EXTRAS"].split(",") for name, service in OURS.items()}
    known = PROJECT["project"]["optional-dependencies"]

    assert {extra for some in extras.values() for extra in some} <= known.keys()
    assert (
        sorted(extras["stream"]) == ["kafka", "postgres"] == sorted(instructions("ARG")[0].partition("=")[2].split(","))
    )


def test_services_of_one_image_are_built_alike() -> None:
    built: dict[str, list[Any]] = {}
    for service in OURS.values():
        built.setdefault(service["image"], []).append(service["build"])

    assert [image for image, ways in built.items() if any(way != ways[0] for way in ways)] == []


def test_the_image_is_built_of_what_is_there_and_of_every_package() -> None:
    packages = set(PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"])

    assert {source for source in copied() if not (ROOT / source).exists()} == set()
    assert packages <= copied()
    assert {PROJECT["project"]["readme"], *PROJECT["project"]["license-files"]} <= copied()


def test_nothing_else_is_sent_to_the_builder() -> None:
    lines = (ROOT / "deploy/Dockerfile.dockerignore").read_text(encoding="utf-8").split()
    let_in = {line[1:] for line in lines if line.startswith("!")}

    assert lines[0] == "*"
    assert let_in == copied()
    assert any(fnmatch.fnmatch("monitor/__pycache__", line) for line in lines[1:])


def test_the_image_runs_our_command_as_nobody_in_particular() -> None:
    last = DOCKERFILE.rsplit("FROM ", 1)[1]

    assert set(PROJECT["project"]["scripts"]) == set(re.findall(r'^ENTRYPOINT \["(\w+)"\]$', last, re.MULTILINE))
    assert int(re.findall(r"^USER (\d+)$", last, re.MULTILINE)[0]) > 0


def test_images_of_others_have_a_version_and_no_registry() -> None:
    images = [service["image"] for name, service in compose.services(GIVEN).items() if name not in OURS]
    images += [line.split()[0] for line in instructions("FROM")]

    assert [image for image in images if not re.fullmatch(r"[a-z]+(/[a-z]+)?:[\w.-]*\d[\w.-]*", image)] == []


def test_the_plan_that_it_mounts_is_one() -> None:
    text = (compose.DEPLOY / "quantwatch.yaml").read_text(encoding="utf-8")

    assert parse_plan(text).deployments
