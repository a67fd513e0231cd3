"""What the user asked last. Apart from `columns`, because slices and the doctor ask without any compiled code."""

from __future__ import annotations

from collections.abc import Sequence

from monitor.model import Event


def last_user_texts(events: Sequence[Event]) -> list[str | None]:
    """The last user message of each; where it is the last message, as nearly always, without a call."""
    return [
        messages[-1].content if (messages := event.messages) and messages[-1].role == "user" else last_user_text(event)
        for event in events
    ]


def last_user_text(event: Event) -> str | None:
    """The text of the last user message, or None where the log has no messages."""
    messages = event.messages
    if not messages:
        return None
    return next((message.content for message in reversed(messages) if message.role == "user"), None)
