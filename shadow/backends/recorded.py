"""Answers read from a file: for builds that were replayed elsewhere, and for tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from monitor.model import Output
from shadow.backends.backend import Request, TokenScores
from shadow.errors import BackendError, NotReplayable


class _Line(msgspec.Struct, frozen=True):
    id: str
    output: Output


class RecordedBackend:
    """Gives the recorded output of a request id; it knows no probabilities."""

    def __init__(self, name: str, outputs: Mapping[str, Output]) -> None:
        self.name = name
        self.outputs = dict(outputs)

    @classmethod
    def read(cls, path: Path) -> RecordedBackend:
        """Reads JSON lines `{"id": request id, "output": {...}}`; of several with one id the first counts.

        Raises `BackendError` for a file or a line that cannot be read, naming the line.
        """
        decoder = msgspec.json.Decoder(_Line)
        outputs: dict[str, Output] = {}
        try:
            lines = path.read_bytes().splitlines()
        except OSError as error:
            raise BackendError(f"recorded outputs cannot be read: {error.strerror}") from None
        for number, line in enumerate(lines, start=1):
            if line.strip():
                try:
                    record = decoder.decode(line)
                except msgspec.MsgspecError:
                    raise BackendError(f"line {number} of the recorded outputs is not an output") from None
                outputs.setdefault(record.id, record.output)
        return cls(path.name, outputs)

    def check(self, request: Request) -> None:
        """Refuses request ids that were not recorded."""
        if request.id not in self.outputs:
            raise NotReplayable("not recorded")

    def generate(self, requests: Sequence[Request], scores: Sequence[TokenScores | None] | None = None) -> list[Output]:
        """The recorded outputs; KeyError for an id that `check` refuses."""
        return [self.outputs[request.id] for request in requests]

    def score(self, requests: Sequence[Request], outputs: Sequence[Output | None]) -> list[TokenScores | None]:
        """Always None: recorded outputs come without distributions."""
        return [None] * len(requests)
