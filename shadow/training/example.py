"""One prompt with its one right answer, in the shapes a chat API uses."""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, Literal

Message = dict[str, str]
Kind = Literal["json", "tool_call", "text", "refusal", "comply"]
HELD_OUT_OF = 16


@dataclass(frozen=True, slots=True)
class Example:
    """`answer` is the text to learn; `value` is what a reader of a right answer would extract from it."""

    route: str
    messages: tuple[Message, ...]
    answer: str
    kind: Kind
    value: Any
    tools: tuple[dict[str, Any], ...] | None = None
    response_format: dict[str, Any] | None = None
    rephrasings: tuple[str, ...] = ()

    @property
    def held_out(self) -> bool:
        """True for one prompt in sixteen, decided by the messages alone: training must skip these."""
        key = json.dumps(self.messages, sort_keys=True).encode()
        return hashlib.blake2b(key, digest_size=2).digest()[0] % HELD_OUT_OF == 0


Task = Callable[[Random], Example]


def user(content: str) -> Message:
    return {"role": "user", "content": content}


def assistant(content: str) -> Message:
    return {"role": "assistant", "content": content}


def system(content: str) -> Message:
    return {"role": "system", "content": content}


def object_schema(properties: Mapping[str, Any]) -> dict[str, Any]:
    """A closed object whose properties are all required, in the order given."""
    return {
        "type": "object",
        "properties": dict(properties),
        "required": list(properties),
        "additionalProperties": False,
    }


def compact(value: Any) -> str:
    """JSON without spaces: fewer tokens, and a copied word has the same tokens as in the prompt."""
    return json.dumps(value, separators=(",", ":"))


def json_format(name: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"type": "json_schema", "json_schema": {"name": name, "schema": schema}}


COMPLAINTS = (
    "That's not what I asked. ", "No, that's wrong. ", "Try again: ", "I meant: ", "Not quite. ",
    "Please read it again. ", "Wrong. ", "", "", "",
)  # fmt: skip


def reworded(rng: Random, first: str, others: Sequence[str]) -> tuple[str, ...]:
    """One or two other wordings of `first`, some of them opening with a complaint."""
    fresh = [text for text in dict.fromkeys(others) if text != first] or [first]
    return tuple(rng.choice(COMPLAINTS) + text for text in fresh[: rng.randint(1, 2)])
