"""Whether an answer is well formed, and whether it is the right one."""

import json
from typing import Any

import jsonschema_rs

from shadow.training.example import Example
from shadow.training.tasks.refusal import REFUSAL


def score(example: Example, text: str) -> tuple[bool, bool]:
    """(valid, right). Valid is about form only: JSON and schema; for plain text, that there is any."""
    if example.kind == "json":
        assert example.response_format is not None
        parsed = _parsed(text)
        valid = parsed is not None and _fits(example.response_format["json_schema"]["schema"], parsed)
        return valid, valid and parsed == example.value
    if example.kind == "tool_call":
        parsed = _parsed(text)
        valid = _is_call(example, parsed)
        return valid, valid and parsed == example.value
    valid = bool(text.strip())
    if example.kind == "text":
        return valid, text.strip() == example.value
    refused = text.startswith(REFUSAL[:9])
    return valid, valid and refused == (example.kind == "refusal")


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None


def _is_call(example: Example, parsed: Any) -> bool:
    if not isinstance(parsed, dict) or set(parsed) != {"name", "arguments"}:
        return False
    schemas = {tool["function"]["name"]: tool["function"]["parameters"] for tool in example.tools or ()}
    name = parsed["name"]
    return isinstance(name, str) and name in schemas and _fits(schemas[name], parsed["arguments"])


def _fits(schema: dict[str, Any], instance: Any) -> bool:
    return bool(jsonschema_rs.is_valid(schema, instance))
