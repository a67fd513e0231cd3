"""Reads lines of every format that is known: the native one first, then pairs of OpenAI bodies.

Native records cost nothing extra: only what `monitor.wire` refused is looked at again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

import msgspec
import xxhash

from monitor import wire
from monitor.dialects.envelope import Envelope, Home, Reading
from monitor.dialects.mapping import MappingRule
from monitor.dialects.openai import NOT_TEXT, answer_fields, choice_of, prompt_fields
from monitor.errors import Reject
from monitor.model import NO_TOOLS, Event, Record

_DEFAULT: Final = MappingRule()
_AGAIN: Final = ("wrong_type", "unknown_kind", "schema_version")
"""Reasons for which a line is no native record and may still be one of another format."""
_NATIVE_ONLY: Final = ("score", "feedback")
_SEED: Final = 0x1D
_SAID: Final = {
    "messages": "request.messages",
    "tools": "request.tools",
    "response_format": "request.response_format",
    "sampling": "request",
    "output": "response.choices[0]",
    "prompt_tokens": "response.usage.prompt_tokens",
    "completion_tokens": "response.usage.completion_tokens",
}
_PARTS: Final = {
    "logprobs": "response.choices[0].logprobs",
    "token_ids": "response.choices[0]",
    "tool_calls": "response.choices[0].message.tool_calls",
}
_MADE: Final = {"id": "hash of the line", "turn": "request.messages"}
"""What is made where no place gives it: an id, and the turn of messages that are left out."""
_line = msgspec.json.Decoder()


@dataclass(frozen=True, slots=True)
class Found:
    """What the reader understood of one line.

    `dialect` is `native`, `openai`, or `none` where it is neither. `record` is what ingestion would take, or the
    refusal with which the line goes to quarantine. `origins` says for each native field, dotted (`id`, `time`,
    `messages`, `output.logprobs`, `timings.total`, `tags.route`), where its value came from, as the plan would write
    it: `response.created`, `$.meta.ts`, `constant`, `file name`; besides, `default` for the deployment that no place
    names, and `hash of the line` for an id. `missing` says for each field that stays empty why, in words. Neither
    holds any text of the line but the names of tags.
    """

    dialect: Literal["native", "openai", "none"]
    record: Record | Reject
    origins: Mapping[str, str] = field(default_factory=dict)
    missing: Mapping[str, str] = field(default_factory=dict)


class Reader:
    """Reads lines under one mapping. `Reader(plan.input.mapping, plan.home)` is what ingestion under a plan uses.

    `name` is always the source's name (`JsonlFile.name`, `Run.source`): `file:/var/log/llm/shop.jsonl`, or `inbox`.
    """

    def __init__(self, mapping: MappingRule = _DEFAULT, home: Home = lambda _: "default") -> None:
        self._envelope = Envelope(mapping, home)

    def decode_all(self, raws: Sequence[bytes], name: str) -> list[Record | Reject]:
        """For each raw record what ingestion makes of it, refusals as values. Never raises."""
        records = wire.decode_all(raws)
        for i, record in enumerate(records):
            if isinstance(record, Reject):
                try:
                    records[i] = self.translate(raws[i], record, name)[0]
                except Reject as reject:
                    records[i] = reject
        return records

    def translate(self, raw: bytes, refused: Reject, name: str) -> tuple[Event, bytes]:
        """The event of a line that is no native record, and its native bytes; raises `Reject` if there is none.

        `refused` is why it is no native record; it is raised again if the line is of no other format either.
        """
        reading = self._open(raw, refused, name)
        if reading is None:
            raise refused
        return self._close(reading, raw)

    def explain(self, raw: bytes, name: str) -> Found:
        """The same of one line with where everything came from, for a dry run. Never raises."""
        record: Record | Reject
        [record] = wire.decode_all([raw])
        if not isinstance(record, Reject):
            return _native(record, raw)
        reading = None
        try:
            reading = self._open(raw, record, name)
            if reading is None:
                return Found("none", record)
            record = self._close(reading, raw)[0]
        except Reject as reject:
            record = reject
        return Found("openai", record) if reading is None else _explained(reading, record)

    def _open(self, raw: bytes, refused: Reject, name: str) -> Reading | None:
        """The line as a pair whose fields are still to be read; None if it is no pair."""
        if refused.reason not in _AGAIN:
            return None
        try:
            whole = _line.decode(raw)
        except RecursionError:
            raise Reject("too_deep") from None
        except (msgspec.DecodeError, UnicodeDecodeError):
            return None
        if not isinstance(whole, dict) or whole.get("kind") in _NATIVE_ONLY:
            return None
        return self._envelope.open(whole, name)

    def _close(self, reading: Reading, raw: bytes) -> tuple[Event, bytes]:
        """The event of a pair and its native bytes. These are decoded like any other: the codec judges every value."""
        try:
            self._fill(reading, raw)
            native = msgspec.json.encode({name: value for name, value in reading.fields.items() if value is not None})
        except RecursionError:
            raise Reject("too_deep") from None
        event = wire.decode(native)
        if not isinstance(event, Event):
            raise Reject("unknown_kind")
        return event, native

    def _fill(self, reading: Reading, raw: bytes) -> None:
        line, fields = reading.line, reading.fields
        choice = choice_of(line.request, line.response)
        fields |= prompt_fields(line.request) | answer_fields(choice, line.response)
        self._envelope.address(reading)
        fields.setdefault("id", f"line-{xxhash.xxh3_128_hexdigest(raw, _SEED)}")


def _explained(reading: Reading, record: Record | Reject) -> Found:
    """What was read, with where the fields of the bodies came from; nothing, if it was refused before."""
    fields, origins = reading.fields, dict(reading.origins)
    if not fields:
        return Found("openai", record)
    missing = {name: reading.reason(name) for name in reading.missing if name not in _MADE or name not in fields}
    origins |= {name: word for name, word in _MADE.items() if name in reading.missing and name in fields}
    output = fields.get("output", {})
    said = {name: (fields.get(name), place) for name, place in _SAID.items()}
    said |= {f"output.{part}": (output.get(part), place) for part, place in _PARTS.items()}
    for name, (value, place) in said.items():
        if value is None:
            missing[name] = f"nothing at `{place}`"
        else:
            origins[name] = place
    if "messages" in missing:
        missing["messages"] = f"a message {NOT_TEXT}"
    return Found("openai", record, origins, missing)


def _native(record: Record, raw: bytes) -> Found:
    """What a native record says. Bodies beside its keys are not read, which is worth a word."""
    said = {name: getattr(record, name) for name in record.__struct_fields__}
    empty = [name for name, value in said.items() if value is None or value is NO_TOOLS]
    origins = {name: f"$.{name}" for name in said if name not in empty}
    missing = dict.fromkeys(empty, "not in the line")
    if "messages" in missing and b'"request"' in raw:
        missing["messages"] = "the line has the four keys of a native record, so its `request` is not read"
    return Found("native", record, origins, missing)
