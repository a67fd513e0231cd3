"""What goes wrong with a model server, one value a fault; `tests.support.engine` plays them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Status:
    """An error status instead of an answer, with some headers, and a text in its body."""

    code: int
    retry_after: str | None = None
    message: str = "it went wrong"
    location: str | None = None


@dataclass(frozen=True)
class Hang:
    """Nothing for so many seconds, then the answer."""

    seconds: float = 60.0


@dataclass(frozen=True)
class Trickle:
    """The answer, one byte every `pause` seconds: never silent for long, and never done in time."""

    pause: float = 0.05


@dataclass(frozen=True)
class Cut:
    """Half of the body, then the connection ends."""


@dataclass(frozen=True)
class Refuse:
    """The connection ends before anything is answered."""


@dataclass(frozen=True)
class OtherModel:
    """The answer of another model, under its name."""

    name: str = "another-model"


@dataclass(frozen=True)
class Body:
    """Status 200 with these bytes instead of an answer: no JSON, JSON of another shape, an answer without choices."""

    data: bytes


NOT_JSON = Body(b"<html>gateway</html>")
NO_CHOICES = Body(b'{"id":"x","object":"chat.completion","model":"small","choices":[]}')
ERROR_AS_SUCCESS = Body(b'{"error":{"message":"it went wrong","code":500}}')

Fault = Status | Hang | Trickle | Cut | Refuse | OtherModel | Body
