"""Does the output have the structure that the request demanded: JSON, a JSON Schema, calls of offered tools?"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import numpy as np
import orjson

from monitor.model import NO_TOOLS, Definition, Event, JsonSchemaFormat, Output, ResponseFormat, ToolCall
from monitor.plan import SchemaRule, Where
from monitor.signals.columns import Columns
from monitor.signals.family import Cells, sealed
from monitor.signals.schema_cache import Compiling, IsValid, compiled, first_error, holds, schema_check

OK, BAD, NO_CONTENT, NO_SCHEMA, NO_CALL = range(5)
_CELLS = ("ok", "bad", "no_content", "no_schema", "no_call")
_OPTIONAL = frozenset((None, "auto", "none"))
_JSON = ("json_schema", "json_object")
_WORST = {OK: 0, NO_SCHEMA: 1, BAD: 2}
_ROW = tuple((i // 20, i // 5 % 4, i % 5) for i in range(80))
_ROWS = np.array(_ROW, dtype=np.int16)


def _packed(json: int, schema: int) -> int:
    return json * 20 + schema * 5 + NO_SCHEMA


_NOTHING = _packed(NO_SCHEMA, NO_SCHEMA)
_UNSEEN, _UNSEEN_SCHEMA = _packed(NO_CONTENT, NO_SCHEMA), _packed(NO_CONTENT, NO_CONTENT)
_BROKEN, _BROKEN_SCHEMA = _packed(BAD, NO_SCHEMA), _packed(BAD, BAD)
_PARSES, _VALID, _INVALID = _packed(OK, NO_SCHEMA), _packed(OK, OK), _packed(OK, BAD)

_loads = orjson.loads
_Tools = dict[str, IsValid | None]
Failure = tuple[str, str]
Matches = Callable[[Event, Where], bool]


def _parameters(raw: bytes) -> dict[str, Any]:
    """The parameter schema of each function of a `tools` list; whatever is no function is passed over."""
    try:
        tools = _loads(raw)
    except orjson.JSONDecodeError:
        return {}
    found: dict[str, Any] = {}
    for tool in tools if isinstance(tools, list) else ():
        function = tool.get("function", tool) if isinstance(tool, dict) else None
        if isinstance(function, dict) and isinstance(function.get("name"), str):
            schema = function.get("parameters")
            found[function["name"]] = {"type": "object"} if schema is None else schema
    return found


def _tool_checks(raw: bytes) -> _Tools:
    validators = {name: compiled(schema) for name, schema in _parameters(raw).items()}
    return {name: None if found is None else found.is_valid for name, found in validators.items()}


class Structure:
    """Three signals: `json` (it parses), `schema` (it is valid) and `tool_call` (offered tool, valid arguments).

    A request that demands no structure of its own is held to the first of `rules` that it `matches`, if any.

    What was not demanded is `no_schema`; so is a schema that cannot be compiled. Output that does not parse
    violates its schema too, however it came about (cut off by length included). Tools without a call are
    `no_call` unless the request required one. JSON means what `orjson` takes: no NaN, at most 1,024 levels deep.
    """

    def __init__(self, rules: Sequence[SchemaRule] = (), matches: Matches = lambda event, where: True) -> None:
        self._rules = tuple((rule.where, _demand(rule)) for rule in rules)
        self._matches = matches
        content = (msgspec.json.encode(rules, order="deterministic"),) if rules else ()
        self._schemas: Compiling[IsValid | None] = Compiling(schema_check)
        self._tools: Compiling[_Tools] = Compiling(_tool_checks)
        self.definitions: tuple[Definition, ...] = tuple(
            sealed(Definition(signal, "structure", cells, yes=("bad",), no=("ok",)), *content)
            for signal, cells in (("json", _CELLS[:4]), ("schema", _CELLS[:4]), ("tool_call", _CELLS))
        )

    def judge(self, event: Event, output: Output | None) -> tuple[int, ...]:
        return _ROW[self._code(event, self._wanted(event), output)]

    def _wanted(self, event: Event) -> ResponseFormat | None:
        """The structure that the answer's text must have."""
        if event.response_format is not None or event.tools is not NO_TOOLS:
            return event.response_format
        return next((wanted for where, wanted in self._rules if self._matches(event, where)), None)

    def judge_all(self, columns: Columns) -> Cells:
        events = columns.events
        asked = list(map(self._wanted, events)) if self._rules else [event.response_format for event in events]
        codes = self._texts(columns, asked)
        offers = [row for row, event in enumerate(events) if event.tools is not NO_TOOLS]
        for row in offers:
            event = events[row]
            codes[row] += self._calls(event, event.tools, event.output) - NO_SCHEMA
        return _ROWS.take(np.array(codes, dtype=np.intp), axis=0)

    def _texts(self, columns: Columns, demands: Sequence[ResponseFormat | None]) -> list[int]:
        """The packed cells of the outputs, tools aside; what has a schema and a text goes step by step for all."""
        codes, texts = [_NOTHING] * len(demands), columns.texts
        plain: list[int] = []
        schemas: list[msgspec.Raw] = []
        for row, wanted in enumerate(demands):
            if wanted is None:
                continue
            form = wanted.json_schema
            if form is not None and texts[row] and wanted.type == "json_schema":
                plain.append(row)
                schemas.append(form.schema)
            elif wanted.type in _JSON:
                codes[row] = self._text(wanted, columns.outputs[row])
        for row, valid in zip(plain, self._schemas.all(schemas), strict=True):
            try:
                value = _loads(texts[row])
            except ValueError:
                codes[row] = _BROKEN if valid is None else _BROKEN_SCHEMA
                continue
            try:  # `holds`, without a call
                codes[row] = _PARSES if valid is None else _VALID if valid(value) else _INVALID
            except ValueError:
                codes[row] = _INVALID
        return codes

    def _code(self, event: Event, wanted: ResponseFormat | None, output: Output | None) -> int:
        """The three cells packed into one number: json * 20 + schema * 5 + tool_call."""
        code = _NOTHING if wanted is None or wanted.type not in _JSON else self._text(wanted, output)
        tools = event.tools
        return code if tools is NO_TOOLS else code - NO_SCHEMA + self._calls(event, tools, output)

    def _text(self, wanted: ResponseFormat, output: Output | None) -> int:
        """The packed cells of an output that had to be JSON, tools aside."""
        form = wanted.json_schema
        valid = None if form is None else self._schemas.get(form.schema)
        text = None if output is None else output.text
        if text is None or (not text and output.tool_calls):  # type: ignore[union-attr]
            return _UNSEEN if valid is None else _UNSEEN_SCHEMA
        try:
            value = _loads(text)
        except ValueError:
            return _BROKEN if valid is None else _BROKEN_SCHEMA
        if valid is None:
            return _PARSES
        return _VALID if holds(valid, value) else _INVALID

    def _calls(self, event: Event, raw: msgspec.Raw, output: Output | None) -> int:
        offered = self._tools.get(raw)
        if not offered:
            return NO_SCHEMA
        if output is None or (output.text is None and not output.tool_calls):
            return NO_CONTENT
        if not output.tool_calls:
            choice = None if event.sampling is None else event.sampling.tool_choice
            return NO_CALL if choice in _OPTIONAL else BAD
        found = [_call(offered, call) for call in output.tool_calls]
        return found[0] if len(found) == 1 else max(found, key=_WORST.__getitem__)


def _demand(rule: SchemaRule) -> ResponseFormat:
    schema = msgspec.Raw(msgspec.json.encode(rule.schema))
    return ResponseFormat("json_schema", JsonSchemaFormat(schema, rule.name))


def _call(offered: _Tools, call: ToolCall) -> int:
    if call.name not in offered:
        return BAD
    try:
        value = _loads(call.arguments)
    except ValueError:
        return BAD
    valid = offered[call.name]
    if valid is None:
        return NO_SCHEMA
    return OK if holds(valid, value) else BAD


def explain(event: Event, output: Output) -> Failure | None:
    """Where the output first breaks what was demanded and by which rule, or None; for people, not for speed.

    The place is a JSON pointer into the output; the rule is a schema keyword, or `parse`, `unknown_tool` or
    `required` (a call was demanded and none came).
    """
    wanted = event.response_format
    if wanted is not None and wanted.type in _JSON and (output.text or not output.tool_calls):
        failure = _explain_text(wanted, output.text)
        if failure is not None:
            return failure
    return _explain_calls(event, _parameters(bytes(event.tools)), output)


def _explain_text(wanted: ResponseFormat, text: str | None) -> Failure | None:
    try:
        schema = True if wanted.json_schema is None else _loads(bytes(wanted.json_schema.schema))
    except orjson.JSONDecodeError:
        schema = True
    return None if text is None else _first_failure(text, schema)


def _explain_calls(event: Event, offered: dict[str, Any], output: Output) -> Failure | None:
    for number, call in enumerate(output.tool_calls if offered else ()):
        place = f"/tool_calls/{number}"
        if call.name not in offered:
            return f"{place}/name", "unknown_tool"
        failure = _first_failure(call.arguments, offered[call.name])
        if failure is not None:
            return f"{place}/arguments{failure[0]}", failure[1]
    choice = None if event.sampling is None else event.sampling.tool_choice
    missing = offered and output.text is not None and not output.tool_calls and choice not in _OPTIONAL
    return ("/tool_calls", "required") if missing else None


def _first_failure(text: str, schema: Any) -> Failure | None:
    try:
        value = _loads(text)
    except ValueError:
        return "", "parse"
    return first_error(schema, value)
