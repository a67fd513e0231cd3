"""OpenAI's chat protocol: from a request to what is sent, and from what came back to an output."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

import msgspec

from monitor.model import Message, Output, Sampling, ToolCall
from shadow.backends.backend import Request
from shadow.errors import EngineFault

Json = dict[str, Any]


class _Function(msgspec.Struct, frozen=True):
    name: str
    arguments: str | dict[str, Any] | None = None


class _Call(msgspec.Struct, frozen=True):
    function: _Function


class _Message(msgspec.Struct, frozen=True):
    content: str | None = None
    refusal: str | None = None
    tool_calls: list[_Call] | None = None


class _Token(msgspec.Struct, frozen=True):
    logprob: float


class _Logprobs(msgspec.Struct, frozen=True):
    content: list[_Token] | None = None


class _Choice(msgspec.Struct, frozen=True):
    message: _Message
    finish_reason: str | None = None
    logprobs: _Logprobs | None = None


class _Usage(msgspec.Struct, frozen=True):
    prompt_tokens: int | None = None
    completion_tokens: int | None = None


class _Reply(msgspec.Struct, frozen=True):
    choices: list[_Choice]
    model: str | None = None
    usage: _Usage | None = None


class _Model(msgspec.Struct, frozen=True):
    id: str


class _Models(msgspec.Struct, frozen=True):
    data: list[_Model]


_reply = msgspec.json.Decoder(_Reply)
_models = msgspec.json.Decoder(_Models)
SCHEMA_FORMS: tuple[str, ...] = ("json_schema", "json_object")
"""How a schema is written: as OpenAI has it; as llama.cpp first had it, and llama-cpp-python has it to this day."""
_SUFFIX = re.compile(r"-\d{4}(-?\d\d){0,2}")


@dataclass(frozen=True, slots=True)
class Answered:
    """An answer with its bill in tokens, None where the server sent none."""

    output: Output
    prompt_tokens: int | None
    completion_tokens: int | None


def body_of(request: Request, model: str, *, logprobs: bool, schema_form: str = SCHEMA_FORMS[0]) -> Json:
    """What is sent: the request as it was logged, at temperature 0. What the log does not say is not sent, so that
    the server's own defaults hold as they did for users. A schema is written in the given one of `SCHEMA_FORMS`."""
    sampling = request.sampling
    body: Json = {"model": model, "messages": messages(request.messages), "temperature": 0}
    body["max_tokens"] = request.max_tokens
    if request.tools:
        body["tools"] = request.tools
        if sampling.tool_choice is not None:
            body["tool_choice"] = _tool_choice(sampling.tool_choice)
    if request.response_format is not None:
        body["response_format"] = _demanded(request.response_format, schema_form)
    body |= _sampled(sampling)
    if logprobs:  # llama.cpp gives none for 0, llama-cpp-python none without a number
        body |= {"logprobs": True, "top_logprobs": 1}
    return body


def _sampled(sampling: Sampling) -> Json:
    names = ("top_p", "seed", "stop", "presence_penalty", "frequency_penalty")
    found = {name: getattr(sampling, name) for name in names if getattr(sampling, name) is not None}
    if sampling.repetition_penalty is not None:  # vLLM and SGLang know one name, llama.cpp the other
        found |= dict.fromkeys(("repetition_penalty", "repeat_penalty"), sampling.repetition_penalty)
    return found


def _tool_choice(said: str) -> str | Json:
    return said if said in ("none", "auto", "required") else {"type": "function", "function": {"name": said}}


def demands_schema(request: Request) -> bool:
    """Whether the answer must follow a schema."""
    return "schema" in ((request.response_format or {}).get("json_schema") or {})


def _demanded(response_format: Json, form: str) -> Json:
    """The demand in one of the forms; OpenAI's demands that a schema has a name."""
    asked = response_format.get("json_schema")
    if asked is None:
        return response_format
    if form == "json_object" and "schema" in asked:
        return {"type": "json_object", "schema": asked["schema"]}
    return response_format if asked.get("name") else response_format | {"json_schema": asked | {"name": "answer"}}


def messages(turns: Sequence[Message]) -> list[Json]:
    """The turns in the protocol's form. Events keep no ids of tool calls: they are numbered anew, and results belong
    to the calls before them in order."""
    numbers, waiting = iter(range(1, 2**31)), list[str]()
    found = []
    for turn in turns:
        each: Json = {"role": turn.role, "content": turn.content}
        if turn.name is not None:
            each["name"] = turn.name
        if turn.tool_calls:
            each["tool_calls"] = list(_calls(turn, numbers))
            waiting = [call["id"] for call in each["tool_calls"]]
        if turn.role == "tool":
            each["tool_call_id"] = waiting.pop(0) if waiting else f"call_{next(numbers)}"
        found.append(each)
    return found


def _calls(turn: Message, numbers: Iterator[int]) -> Iterator[Json]:
    for call in turn.tool_calls:
        function = {"name": call.name, "arguments": call.arguments}
        yield {"id": f"call_{next(numbers)}", "type": "function", "function": function}


def answered(data: bytes, model: str) -> Answered:
    """The answer in a body; raises `EngineFault` if there is none, or if it is another model's."""
    reply = _decoded(_reply, data)
    if reply.model and not same_model(model, reply.model):
        raise EngineFault("engine_other_model", billed=True)
    if not reply.choices:
        raise EngineFault("engine_no_choices", billed=True)
    choice = reply.choices[0]
    said = choice.message
    calls = tuple(ToolCall(call.function.name, _text(call.function.arguments)) for call in said.tool_calls or ())
    logprobs = choice.logprobs.content if choice.logprobs is not None else None
    output = Output(
        said.refusal if said.content is None else said.content,
        calls,
        choice.finish_reason,
        logprobs=tuple(token.logprob for token in logprobs or ()),
    )
    usage = reply.usage or _Usage()
    return Answered(output, usage.prompt_tokens, usage.completion_tokens)


def model_of(data: bytes) -> str | None:
    """The name under which a server answers, if it says one."""
    name: str | None = _decoded(_reply, data).model
    return name


def _text(arguments: str | Json | None) -> str:
    """Arguments are a text; some servers send the object itself."""
    if isinstance(arguments, dict):
        return msgspec.json.encode(arguments).decode()
    return arguments or "{}"


def served(data: bytes) -> list[str]:
    """The names of the models in an answer of `/models`; raises `EngineFault` if it is none."""
    return [model.id for model in _decoded(_models, data).data]


def _decoded(decoder: Any, data: bytes) -> Any:
    try:
        return decoder.decode(data)
    except msgspec.ValidationError:
        raise EngineFault("engine_malformed", billed=True) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise EngineFault("engine_not_json", billed=True) from None


def same_model(asked: str, said: str) -> bool:
    """Whether a server's name for its model is the one that was asked for.

    Equal, or one is the other's last part (`/models/a.gguf` and `a.gguf`), or what was said is a dated version of
    what was asked (`gpt-4o-2024-08-06` for `gpt-4o`).
    """
    if asked == said or said.endswith(f"/{asked}") or asked.endswith(f"/{said}"):
        return True
    return said.startswith(asked) and _SUFFIX.fullmatch(said.removeprefix(asked)) is not None


def offers(names: Sequence[str], model: str) -> bool:
    """Whether a list of served models has one by this name; gateways list families by a pattern such as `openai/*`."""
    return any(same_model(model, name) or fnmatchcase(model, name) for name in names)
