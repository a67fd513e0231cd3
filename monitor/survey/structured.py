"""The structured output that requests demand: their schemas and tools, by content, with what came of them."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import msgspec
import xxhash

from monitor.model import Event
from monitor.signals.columns import Columns
from monitor.signals.schema_cache import schema_check
from monitor.signals.structure import Structure
from monitor.slices import offers_tools

Kind = Literal["json_schema", "json", "tools"]
_COLUMNS = {"json_schema": 1, "json": 0, "tools": 2}
"""Where each kind's outcome stands in the cells of `Structure`."""


@dataclass(frozen=True, slots=True)
class Route:
    """Requests that demand the same structure, by its name: a schema's, or those of the tools.

    `digest` is a hash of the schema or the tools, empty for plain JSON; where `different` of them have one name, of the
    most frequent one. Of `requests`, `judged` had an output to hold against it and `broken` broke it; `unchecked` have
    a schema that cannot be compiled, so that no output is held against it.
    """

    kind: Kind
    name: str
    digest: str
    different: int
    requests: int
    judged: int
    broken: int
    unchecked: int


def routes(events: Sequence[Event]) -> list[Route]:
    """The different demands in some requests, the most frequent first; one request may make two of them."""
    structure = Structure()
    cells: dict[tuple[Kind, str], Counter[str]] = defaultdict(Counter)
    digests: dict[tuple[Kind, str], Counter[bytes]] = defaultdict(Counter)
    for event, row in zip(events, structure.judge_all(Columns(events)).tolist(), strict=True):
        for kind, raw, name in _demands(event):
            column = _COLUMNS[kind]
            cells[kind, name][structure.definitions[column].cells[row[column]]] += 1
            digests[kind, name][raw] += 1
    made = [_route(kind, name, cells[kind, name], raws) for (kind, name), raws in digests.items()]
    return sorted(made, key=lambda route: (-route.requests, route.kind, route.name))


def _demands(event: Event) -> list[tuple[Kind, bytes, str]]:
    """What one request demands: kind, raw schema or tools, name."""
    demands: list[tuple[Kind, bytes, str]] = []
    form = event.response_format
    if form is not None and form.type == "json_schema" and form.json_schema is not None:
        demands.append(("json_schema", bytes(form.json_schema.schema), form.json_schema.name or ""))
    elif form is not None and form.type in ("json_schema", "json_object"):
        demands.append(("json", b"", ""))
    if offers_tools(event):
        demands.append(("tools", bytes(event.tools), _tool_names(bytes(event.tools))))
    return demands


def _tool_names(raw: bytes) -> str:
    """The names of the functions that are offered, as one text."""
    try:
        tools = msgspec.json.decode(raw)
    except msgspec.MsgspecError:
        return ""
    functions = (
        [tool.get("function", tool) for tool in tools if isinstance(tool, dict)] if isinstance(tools, list) else []
    )
    names = [function.get("name") for function in functions if isinstance(function, dict)]
    return ", ".join(name for name in names if isinstance(name, str))


def _route(kind: Kind, name: str, cells: Counter[str], raws: Counter[bytes]) -> Route:
    first = raws.most_common(1)[0][0]
    unchecked = sum(n for raw, n in raws.items() if kind == "json_schema" and schema_check(raw) is None)
    return Route(
        kind=kind,
        name=name,
        digest=xxhash.xxh3_64_hexdigest(first) if first else "",
        different=len(raws),
        requests=cells.total(),
        judged=cells["bad"] + cells["ok"] + cells["no_call"],
        broken=cells["bad"],
        unchecked=unchecked,
    )
