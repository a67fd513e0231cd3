"""`deploy/compose.yaml` as Docker Compose reads it: variables put in, merges resolved."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

DEPLOY = Path(__file__).parents[2] / "deploy"
_VARIABLE = re.compile(r"\$\{(?P<name>\w+)(?P<how>:[-?])(?P<rest>[^}]*)\}")


def variables() -> dict[str, str]:
    """Every variable that the file asks for, with how: `:?` must be given, `:-` has a default."""
    return {match["name"]: match["how"] for match in _VARIABLE.finditer(_text())}


def services(given: Mapping[str, str]) -> dict[str, Any]:
    """The services by name."""

    def value(match: re.Match[str]) -> str:
        return given.get(match["name"]) or (match["rest"] if match["how"] == ":-" else "")

    found: dict[str, Any] = yaml.safe_load(_VARIABLE.sub(value, _text()))["services"]
    return found


def ours(given: Mapping[str, str]) -> dict[str, Any]:
    """Those that run a command of ours."""
    return {name: one for name, one in services(given).items() if "build" in one}


def _text() -> str:
    return (DEPLOY / "compose.yaml").read_text(encoding="utf-8")
