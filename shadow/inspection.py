"""What a build in this process says of itself without answering anything: its tokens, its template, its limits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from monitor.model import Message
from monitor.traits import Traits
from shadow.backends.backend import Request
from shadow.backends.chat import Chat


def traits(backend: object, probes: Sequence[Sequence[Message]]) -> Traits:
    """The traits of an opened build; nothing is known of one that only reads recorded answers.

    Raises `NotReplayable` where its template refuses a probe.
    """
    chat = getattr(backend, "chat", None)
    if not isinstance(chat, Chat):
        return Traits()
    requests = [Request(f"probe-{n}", tuple(turns)) for n, turns in enumerate(probes)]
    tokenizer: Any = chat.tokenizer
    return Traits(
        counts=tuple(len(chat.prompt(request)) for request in requests),
        ids=tuple(tuple(tokenizer(turns[-1].content or "", add_special_tokens=False)["input_ids"]) for turns in probes),
        rendered=tuple(tokenizer.decode(chat.prompt(request)) for request in requests),
        template=str(tokenizer.chat_template),
        stop=" ".join(sorted(str(tokenizer.decode([token])) for token in chat.ends)),
        context=_context(backend),
    )


def _context(backend: object) -> int | None:
    """How many tokens fit; builds without a limit say 2**31."""
    found = getattr(backend, "context", None)
    return found if isinstance(found, int) and found < 2**31 else None
