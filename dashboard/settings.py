"""Where the API is: the one place of the dashboard that reads the command line and the environment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

DEFAULT = "http://127.0.0.1:8321"


@dataclass(frozen=True, slots=True)
class Connection:
    """The API's base address and, where it asks for one, the bearer token."""

    base: str
    token: str | None = field(default=None, repr=False)


def connection(arguments: Sequence[str], environment: Mapping[str, str]) -> Connection:
    """The connection from `--api=URL`, else from `QUANTWATCH_API`, else to this machine's default port."""
    given = [argument.removeprefix("--api=") for argument in arguments if argument.startswith("--api=")]
    base = given[-1] if given else environment.get("QUANTWATCH_API", DEFAULT)
    return Connection(base.rstrip("/"), environment.get("QUANTWATCH_TOKEN") or None)
