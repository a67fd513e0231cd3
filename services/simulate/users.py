"""Simulated users: what they ask, whether they got it, and what they do if not."""

from __future__ import annotations

import gzip
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.resources import files
from typing import Any

import msgspec

from monitor.model import NO_TOOLS, Event, Expected, JsonSchemaFormat, Message, Output, ResponseFormat, Sampling

Judge = Callable[[Event, Output], float | None]

PATIENCE = 0.7
"""The chance that a user who did not get what they asked for asks again."""
PAUSE = (2.0, 8.0)
"""Seconds until they do."""
MOST_TURNS = 3
MOST_TOKENS = 96


class Prompt(msgspec.Struct, frozen=True):
    """One held-out task of the packaged model, with its right answer and other wordings of it."""

    route: str
    messages: tuple[Message, ...]
    expected: Expected
    tools: msgspec.Raw | list[Any] | None = None
    response_format: dict[str, Any] | None = None
    rephrasings: tuple[str, ...] = ()


@dataclass(slots=True)
class Conversation:
    """A user's conversation: the prompt, what was said so far, and when they speak next."""

    name: str
    prompt: Prompt
    due: float
    messages: list[Message] = field(default_factory=list)
    turns: int = 0


def prompts() -> list[Prompt]:
    """All held-out prompts, in file order."""
    body = gzip.decompress((files("services.simulate") / "data" / "prompts.jsonl.gz").read_bytes())
    decoder = msgspec.json.Decoder(Prompt)
    return [decoder.decode(line) for line in body.splitlines()]


class Users:
    """A population of users; seeded, so that the same answers bring the same traffic."""

    def __init__(self, deployment: str, seed: int, judge: Judge) -> None:
        self.deployment = deployment
        self._random = random.Random(seed)
        self._judge = judge
        self._prompts = prompts()
        self._begun = 0

    def begin(self, now: float) -> Conversation:
        """A new conversation that speaks at once."""
        self._begun += 1
        prompt = self._random.choice(self._prompts)
        return Conversation(f"conversation-{self._begun}", prompt, now, list(prompt.messages))

    def ask(self, conversation: Conversation, variant: str, now: float) -> Event:
        """The request of the conversation's next turn, not yet answered."""
        conversation.turns += 1
        prompt = conversation.prompt
        return Event(
            id=f"{conversation.name}-{conversation.turns}",
            deployment=self.deployment,
            variant=variant,
            time=now,
            conversation=conversation.name,
            turn=conversation.turns,
            messages=tuple(conversation.messages),
            tools=msgspec.Raw(msgspec.json.encode(prompt.tools)) if prompt.tools else NO_TOOLS,
            response_format=_response_format(prompt.response_format),
            sampling=Sampling(temperature=0.0, max_tokens=MOST_TOKENS),
            tags={"route": prompt.route},
            expected=prompt.expected,
        )

    def hear(self, conversation: Conversation, event: Event, now: float) -> bool:
        """What the user makes of the answer: whether they will ask again, and when."""
        right = event.output is not None and (self._judge(event, event.output) or 0.0) >= 1.0
        again = conversation.prompt.rephrasings
        if right or not again or conversation.turns >= MOST_TURNS or self._random.random() > PATIENCE:
            return False
        said = event.output.text if event.output and event.output.text else "…"
        wording = again[(conversation.turns - 1) % len(again)]
        conversation.messages += [Message("assistant", said), Message("user", wording)]
        conversation.due = now + self._random.uniform(*PAUSE)
        return True


def _response_format(given: dict[str, Any] | None) -> ResponseFormat | None:
    if given is None:
        return None
    schema = given["json_schema"]
    raw = msgspec.Raw(msgspec.json.encode(schema["schema"]))
    return ResponseFormat(given["type"], JsonSchemaFormat(raw, schema["name"]))
