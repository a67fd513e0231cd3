"""What a request demands of its answer: tools, structure, sampling. In OpenAI's words, vLLM's and llama.cpp's."""

from __future__ import annotations

from typing import Any, Final

from monitor.dialects.values import Fields, parsed_json, there

_SAMPLING: Final = {
    "temperature": ("temperature",),
    "top_p": ("top_p",),
    "seed": ("seed",),
    "max_tokens": ("max_completion_tokens", "max_tokens"),
    "stop": ("stop",),
    "presence_penalty": ("presence_penalty",),
    "frequency_penalty": ("frequency_penalty",),
    "repetition_penalty": ("repetition_penalty", "repeat_penalty"),
}
_SCHEMAS: Final = ("guided_json", "json_schema")


def tools(request: Fields) -> Any:
    """The offered tools; the older `functions` are given their form."""
    functions = request.get("functions")
    if request.get("tools") or not isinstance(functions, list):
        return request.get("tools")
    return [{"type": "function", "function": function} for function in functions]


def response_format(request: Fields) -> Fields | None:
    """The demanded structure: `response_format`, else the keys that vLLM and llama.cpp take for a schema."""
    given = request.get("response_format")
    if isinstance(given, dict):
        inner = given.get("json_schema")
        named = inner if isinstance(inner, dict) else {}
        schema = named.get("schema", given.get("schema"))
        return {"type": given.get("type")} if schema is None else _demand(schema, named)
    outputs = request.get("structured_outputs")
    schemas = (outputs.get("json") if isinstance(outputs, dict) else None, *map(request.get, _SCHEMAS))
    return next((_demand(schema) for schema in schemas if schema is not None), None)


def _demand(schema: Any, named: Fields | None = None) -> Fields:
    parsed = parsed_json(schema) if isinstance(schema, str) else schema
    if parsed is None:
        return {"type": "json_schema"}
    kept = {} if named is None else {"name": named.get("name"), "strict": named.get("strict")}
    return {"type": "json_schema", "json_schema": there({"schema": parsed, **kept})}


def sampling(request: Fields) -> Fields | None:
    """The decoding parameters that a replay can repeat."""
    found = {name: next(filter(_given, map(request.get, keys)), None) for name, keys in _SAMPLING.items()}
    limit = found["max_tokens"]
    if type(limit) is int and limit <= 0:
        found["max_tokens"] = None  # no limit, as some clients write it
    return there({**found, "tool_choice": _tool_choice(request.get("tool_choice"))}) or None


def _tool_choice(given: Any) -> Any:
    """What must be called, in one word: `required`, a tool's name, or the mode of a list of allowed tools."""
    if not isinstance(given, dict):
        return given
    kind = given.get("type")
    inner = given.get(kind) if isinstance(kind, str) else None
    named = inner if isinstance(inner, dict) else given
    return named.get("name", named.get("mode"))


def _given(value: Any) -> bool:
    return value is not None
