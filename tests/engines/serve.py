"""llama-cpp-python's server with the small model's own chat format. Runs in `.venv-engines`.

As it comes, that server hands a model's chat template the messages and tools but not the response format, and leaves
tool calls in the answer's text. A model with formats of its own gets a chat handler there; this is the small model's.
All else is the server's: HTTP, sampling, the grammar that holds a `json_object` to its schema.
"""

from __future__ import annotations

import json
from functools import cache, partial
from typing import Any

from llama_cpp.llama_chat_format import (
    Jinja2ChatFormatter,
    chat_formatter_to_chat_completion_handler,
    register_chat_completion_handler,
)
from llama_cpp.server.__main__ import main

FORMAT = "quantwatch-small"
END = "<|end|>"


@register_chat_completion_handler(FORMAT)
def chat(*, llama: Any, response_format: Any = None, tools: Any = None, **rest: Any) -> Any:
    """An answer by the template that lies in the GGUF file, with its tool call read where tools were offered."""
    template = _template(llama.metadata["tokenizer.chat_template"])
    rendered = partial(template, response_format=_as_openai(response_format))
    answer = chat_formatter_to_chat_completion_handler(rendered)
    completion = answer(llama=llama, response_format=response_format, tools=tools, **rest)
    if tools and isinstance(completion, dict):
        for choice in completion["choices"]:
            _read_call(choice)
    return completion


@cache
def _template(text: str) -> Any:
    return Jinja2ChatFormatter(text, eos_token=END, bos_token="")


def _as_openai(response_format: Any) -> Any:
    """What the template looks at: this server takes a schema as `{"type": "json_object", "schema": …}` only."""
    schema = (response_format or {}).get("schema")
    return None if schema is None else {"type": "json_schema", "json_schema": {"schema": schema}}


def _read_call(choice: dict[str, Any]) -> None:
    """A text that is one call and nothing else becomes one; whatever else it is stays text."""
    message = choice["message"]
    try:
        call = json.loads(message["content"])
    except ValueError:
        return
    if choice["finish_reason"] != "stop" or not isinstance(call, dict) or call.keys() != {"name", "arguments"}:
        return
    arguments = json.dumps(call["arguments"], ensure_ascii=False, separators=(",", ":"))
    function = {"name": call["name"], "arguments": arguments}
    message["content"] = None
    message["tool_calls"] = [{"id": "call_1", "type": "function", "function": function}]
    choice["finish_reason"] = "tool_calls"


if __name__ == "__main__":
    main()
