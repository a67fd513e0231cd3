"""Between conversations and token ids: the chat template, answers, tool calls. Needs a tokenizer, not torch."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any
from weakref import WeakKeyDictionary

import msgspec
import numpy as np
from numpy.typing import NDArray

from monitor.model import Message, Output, ToolCall
from monitor.signals.fidelity import same_answer
from shadow.backends.backend import Request
from shadow.errors import NotReplayable

_STRUCTURE = frozenset("{}[]\":,' \t\r\n")
_MARKED = re.compile(r"<tool_call>\s*(.*?)\s*</tool_call>", re.DOTALL)


def is_structural(token: str) -> bool:
    """Whether a token consists of JSON punctuation and white space only."""
    return bool(token) and _STRUCTURE.issuperset(token)


class _Call(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    arguments: msgspec.Raw


_calls = msgspec.json.Decoder(_Call | list[_Call])


def parse_tool_calls(text: str) -> tuple[ToolCall, ...]:
    """The calls that a text consists of, their arguments as written; empty if it is anything else.

    Read are one `{"name": ..., "arguments": ...}`, a list of them, or such between `<tool_call>` markers.
    """
    parts = _MARKED.findall(text) or [text]
    calls: list[ToolCall] = []
    for part in parts:
        try:
            found = _calls.decode(part)
        except (msgspec.MsgspecError, UnicodeEncodeError):
            return ()
        each = found if isinstance(found, list) else [found]
        calls += [ToolCall(call.name, bytes(call.arguments).decode()) for call in each]
    return tuple(calls)


def tool_calls_text(calls: Sequence[ToolCall]) -> str:
    """How a build writes these calls; `parse_tool_calls` reads it back."""
    each = [f'{{"name": {json.dumps(call.name, ensure_ascii=False)}, "arguments": {call.arguments}}}' for call in calls]
    return each[0] if len(each) == 1 else f"[{', '.join(each)}]"


def _arguments(text: str) -> Any:
    try:
        return msgspec.json.decode(text)
    except msgspec.MsgspecError:
        return text


def _message(message: Message) -> dict[str, Any]:
    role = "system" if message.role == "developer" else message.role
    turn: dict[str, Any] = {"role": role, "content": message.content or ""}
    if message.name is not None:
        turn["name"] = message.name
    if message.tool_calls:
        turn["tool_calls"] = [
            {"type": "function", "function": {"name": call.name, "arguments": _arguments(call.arguments)}}
            for call in message.tool_calls
        ]
    return turn


def _stop(text: str, stops: str | tuple[str, ...] | None) -> int | None:
    """Where the first stop sequence begins; None where there is none."""
    known = (stops,) if isinstance(stops, str) else stops or ()
    return min((text.index(stop) for stop in known if stop and stop in text), default=None)


class Chat:
    """A tokenizer with its chat template. `vocabulary` is the model's, which may be larger than the tokenizer's."""

    def __init__(self, tokenizer: Any, ends: frozenset[int]) -> None:
        self.tokenizer = tokenizer
        self.ends = ends
        self._prompts: WeakKeyDictionary[Request, list[int]] = WeakKeyDictionary()

    def prompt(self, request: Request) -> list[int]:
        """The tokens before the answer, rendered once per request.

        Raises `NotReplayable` where the template refuses the conversation.
        """
        known = self._prompts.get(request)
        if known is None:
            known = self._prompts[request] = self._render(request)
        return known

    def _render(self, request: Request) -> list[int]:
        extra = {"response_format": request.response_format} if request.response_format else {}
        try:
            text = self.tokenizer.apply_chat_template(
                [_message(message) for message in request.messages],
                tools=request.tools,
                add_generation_prompt=True,
                tokenize=False,
                **extra,
            )
        except Exception:  # templates raise what they like, with the text in it
            raise NotReplayable("the chat template refuses the conversation") from None
        tokens: list[int] = self.tokenizer(text, add_special_tokens=False)["input_ids"]
        if not tokens:
            raise NotReplayable("empty prompt")
        return tokens

    def answer(self, request: Request, output: Output) -> list[int]:
        """The tokens of a given answer, with an end token if it was ended; empty if there is none.

        Its own token ids are taken if they read as the answer's text under this tokenizer, else the text is
        tokenized.
        """
        if output.token_ids and self._reads_as(request, output):
            return list(output.token_ids)
        text = tool_calls_text(output.tool_calls) if output.tool_calls else output.text
        if not text:
            return []
        tokens: list[int] = self.tokenizer(text, add_special_tokens=False)["input_ids"]
        ended = output.finish_reason in ("stop", "tool_calls")
        return [*tokens, self.tokenizer.eos_token_id] if ended else tokens

    def _reads_as(self, request: Request, output: Output) -> bool:
        if not all(0 <= token < len(self.tokenizer) for token in output.token_ids):
            return False
        own = self.output(request, output.token_ids, (), ended=True)
        return same_answer(own, output)

    def output(self, request: Request, tokens: Sequence[int], logprobs: Sequence[float], *, ended: bool) -> Output:
        """The answer that tokens spell; a text that is a tool call is one where tools were offered.

        It ends before a stop sequence of the request, and then has no tokens: they would spell more.
        """
        text: str = self.tokenizer.decode(list(tokens), skip_special_tokens=True)
        end = _stop(text, request.sampling.stop)
        if end is not None:
            text, tokens, logprobs, ended = text[:end], (), (), True
        offered = request.tools and request.sampling.tool_choice != "none"
        calls = parse_tool_calls(text) if offered and ended else ()
        reason = "tool_calls" if calls else "stop" if ended else "length"
        return Output(None if calls else text, calls, reason, tuple(tokens), tuple(logprobs))

    def structural(self, vocabulary: int) -> NDArray[np.bool_]:
        """Which tokens consist of JSON punctuation and white space only; shape (vocabulary,)."""
        known = min(vocabulary, len(self.tokenizer))
        texts = self.tokenizer.batch_decode([[token] for token in range(known)])
        marks = np.zeros(vocabulary, dtype=np.bool_)
        marks[:known] = [is_structural(text) for text in texts]
        return marks
