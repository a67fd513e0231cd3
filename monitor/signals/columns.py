"""Some events by column: what several families look at is gathered, and encoded, once."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

from monitor.model import Event, Output
from monitor.signals.questions import last_user_texts
from monitor.signals.text import Bytes, Offsets, pack_whole


class Columns:
    """Requests that are judged together. Everything is parallel to `events` and made when it is first asked for."""

    def __init__(self, events: Sequence[Event]) -> None:
        self.events = events

    def __len__(self) -> int:
        return len(self.events)

    @cached_property
    def outputs(self) -> list[Output | None]:
        """The logged outputs."""
        return [event.output for event in self.events]

    @cached_property
    def texts(self) -> list[str]:
        """The texts of the outputs, empty where there is none."""
        return [output.text or "" if output is not None else "" for output in self.outputs]

    @cached_property
    def packed(self) -> tuple[Bytes, Offsets]:
        """The same as UTF-8, end to end, with where each begins and ends."""
        return pack_whole(self.texts)

    @cached_property
    def questions(self) -> list[str | None]:
        """What the user said last; None where the log has no messages."""
        return last_user_texts(self.events)
