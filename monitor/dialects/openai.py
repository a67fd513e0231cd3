"""OpenAI chat completions: from a request's and a response's body to the fields of a native event.

What is read of vLLM and llama.cpp beyond OpenAI's own fields stands in docs/dialects.md.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from monitor.dialects.demand import response_format, sampling, tools
from monitor.dialects.engine import token_logprobs
from monitor.dialects.values import Fields, there
from monitor.errors import Reject

NOT_TEXT: Final = "has parts that are not text"
_ROLES: Final = {"function": "tool"}


def choice_of(request: Fields, response: Any) -> Fields:
    """The answer of a pair, its first choice; raises `Reject` where the pair is no answered chat completion.

    Reasons: not_chat, stream_chunk, no_answer.
    """
    if "messages" not in request:
        raise Reject("not_chat", "the request has no messages")
    if not isinstance(response, dict):
        raise Reject("stream_chunk")
    if response.get("error") or response.get("object") == "error":
        raise Reject("no_answer", "the response is an error")
    chunk = response.get("object") == "chat.completion.chunk"
    choices = response.get("choices")
    if not isinstance(choices, list):
        raise Reject("not_chat", "the response has no choices")
    if not choices:
        raise Reject("stream_chunk") if chunk else Reject("no_answer", "no choices")
    choice = choices[0]
    if isinstance(choice, dict) and isinstance(choice.get("message"), dict):
        return choice
    if chunk or (isinstance(choice, dict) and "delta" in choice):
        raise Reject("stream_chunk")
    raise Reject("not_chat", "the first choice has no message")


def prompt_fields(request: Fields) -> Fields:
    """What the request says. Messages that no text can stand for are left out; their turn is counted still."""
    found: Fields = {
        "tools": tools(request),
        "response_format": response_format(request),
        "sampling": sampling(request),
    }
    messages = request["messages"]
    if not isinstance(messages, list) or not all(isinstance(message, dict) for message in messages):
        raise Reject("wrong_type", "request.messages is no list of messages")
    try:
        found["messages"] = [_message(message) for message in messages]
    except _NotText:
        found["turn"] = sum(message.get("role") == "user" for message in messages) or None
    return found


def answer_fields(choice: Fields, response: Fields) -> Fields:
    """What the response says."""
    message = choice["message"]
    try:
        text = _text(message.get("content"))
    except _NotText:
        raise Reject("wrong_type", "the answer " + NOT_TEXT) from None
    output = {
        "text": message.get("refusal") if text is None else text,
        "tool_calls": _calls(message),
        "finish_reason": choice.get("finish_reason"),
        **token_logprobs(choice),
    }
    usage = response.get("usage")
    counts = usage if isinstance(usage, dict) else {}
    return {
        "output": there(output),
        "prompt_tokens": counts.get("prompt_tokens"),
        "completion_tokens": counts.get("completion_tokens"),
    }


class _NotText(Exception):
    """A content that no text can stand for."""


def _message(message: Fields) -> Fields:
    role = message.get("role")
    turn = {
        "role": _ROLES.get(role, role) if isinstance(role, str) else role,
        "content": _text(message.get("content")),
        "name": message.get("name"),
        "tool_calls": _calls(message),
    }
    return there(turn)


def _text(content: Any) -> Any:
    """A content as one text: its parts a line each, as vLLM puts them into a template without parts."""
    if not isinstance(content, list):
        return content
    return "\n".join(map(_part, content))


def _part(part: Any) -> str:
    if isinstance(part, str):
        return part
    found = part.get(part.get("type")) if isinstance(part, dict) and part.get("type") in ("text", "refusal") else None
    if not isinstance(found, str):
        raise _NotText
    return found


def _calls(message: Fields) -> list[Fields]:
    """Tool calls in OpenAI's form, the older single `function_call`, and llama.cpp's older form without `function`."""
    calls = message.get("tool_calls") or [call for call in [message.get("function_call")] if call]
    if not isinstance(calls, list):
        raise Reject("wrong_type", "tool_calls is no list")
    return [_call(call) for call in calls]


def _call(call: Any) -> Fields:
    function = call.get("function", call) if isinstance(call, dict) else None
    if not isinstance(function, dict) or "name" not in function:
        raise Reject("wrong_type", "a tool call is of no function")
    return there({"name": function["name"], "arguments": _arguments(function.get("arguments"))})


def _arguments(given: Any) -> Any:
    return _text_of(given) if isinstance(given, dict | list) else given


def _text_of(value: Any) -> str:
    return msgspec.json.encode(value).decode()
