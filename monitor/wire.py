"""The only codec between bytes and the model. Bad bytes become `Reject` with a constant reason, never a crash."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Final

import msgspec
import re2

from monitor.errors import Reject
from monitor.model import NO_TOOLS, Event, Feedback, Record, ScoreReport

MAX_BYTES: Final = 4 * 1024 * 1024

_shows_nul: Final = re2.compile(rb"\\u0000").search
"""Whether the escape of a NUL stands somewhere, escaped itself or not; RE2 looks faster than `bytes.find`."""

_KINDS: Final[dict[str, type[Record]]] = {"score": ScoreReport, "feedback": Feedback}


class _Kind(msgspec.Struct):
    kind: str = "request"
    schema_version: int = 1


_event = msgspec.json.Decoder(Event)
_kind = msgspec.json.Decoder(_Kind)
_others: dict[str, msgspec.json.Decoder[ScoreReport] | msgspec.json.Decoder[Feedback]] = {
    "score": msgspec.json.Decoder(ScoreReport),
    "feedback": msgspec.json.Decoder(Feedback),
}
_encoder = msgspec.json.Encoder()


def decode(raw: bytes) -> Record:
    """One record from its JSON bytes. Unknown keys are ignored; raises `Reject` for everything else that is wrong.

    Reasons: oversized, not_utf8, not_json, too_deep, nul, unknown_kind, schema_version, wrong_type.
    """
    if len(raw) > MAX_BYTES:
        raise Reject("oversized")
    if _shows_nul(raw):
        _refuse_nul(raw)
    try:
        return _event.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return _decode_other(raw, error)


def decode_all(records: Sequence[bytes]) -> list[Record | Reject]:
    """For each raw record what `decode` makes of it, refusals as values.

    Sizes and NULs are looked for in all of them at once: a search between two decodings would cost half of one.
    """
    joined = b"\n".join(records)
    if len(joined) > MAX_BYTES or _shows_nul(joined):
        return [_record_or_reject(raw) for raw in records]
    found: list[Record | Reject] = []
    rest = iter(records)
    while True:
        try:
            found.extend(map(_event.decode, rest))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):  # the next one is no request
            found.append(_record_or_reject(records[len(found)]))
        else:
            return found


def decode_lines(body: bytes) -> list[Event] | None:
    """The requests in some bytes, with white space between; None where there is anything else or one is refused."""
    if len(body) > MAX_BYTES or _shows_nul(body):
        return None
    try:
        return _event.decode_lines(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def encode(record: Record) -> bytes:
    """The record as JSON; `decode(encode(record)) == record`."""
    if isinstance(record, Event) and record.tools is not NO_TOOLS and not bytes(record.tools):
        record = msgspec.structs.replace(record, tools=NO_TOOLS)
    return _encoder.encode(record)


def schema(kind: str) -> dict[str, Any]:
    """The JSON Schema of a wire record: `event`, `score` or `feedback`. KeyError for another word."""
    if kind != "event":
        return msgspec.json.schema(_KINDS[kind])
    fields = [(f.encode_name, f.type, f.default) for f in msgspec.structs.fields(Event) if f.required is False]
    needed = [(f.encode_name, f.type) for f in msgspec.structs.fields(Event) if f.required]
    described = [
        (n, list[dict[str, Any]] | None if n == "tools" else t, None if n == "tools" else d) for n, t, d in fields
    ]
    shape = msgspec.defstruct("Event", [*needed, *described], namespace={"__doc__": Event.__doc__})
    return msgspec.json.schema(shape)


def milliseconds(stamp: float | datetime) -> int:
    """A stamp as whole milliseconds since the epoch, rounded down."""
    if type(stamp) is float:
        return int(stamp * 1000)
    return int((stamp if isinstance(stamp, float | int) else stamp.timestamp()) * 1000)


def _decode_other(raw: bytes, error: Exception) -> Record:
    """The slow path: another kind of record, an older version, or the reason why it is none."""
    if isinstance(error, RecursionError):
        raise Reject("too_deep") from None
    try:
        head = _kind.decode(raw)
    except RecursionError:
        raise Reject("too_deep") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as inner:
        raise Reject(_reason(raw, inner)) from None
    if not _is_utf8(raw):
        raise Reject("not_utf8") from None
    if head.schema_version != 1:
        raise Reject("schema_version", str(head.schema_version)) from None
    if head.kind in _others:
        return _attempt(_others[head.kind].decode, raw)
    if head.kind != "request":
        raise Reject("unknown_kind") from None
    raise Reject("wrong_type", _path(error)) from None


def _record_or_reject(raw: bytes) -> Record | Reject:
    try:
        return decode(raw)
    except Reject as reject:
        return reject


def _attempt(decoder: Callable[[bytes], Record], raw: bytes) -> Record:
    try:
        return decoder(raw)
    except msgspec.DecodeError as error:
        raise Reject("wrong_type", _path(error)) from None


def _reason(raw: bytes, error: Exception) -> str:
    if not _is_utf8(raw):
        return "not_utf8"
    return "wrong_type" if isinstance(error, msgspec.ValidationError) else "not_json"


def _is_utf8(raw: bytes) -> bool:
    try:
        raw.decode()
    except UnicodeDecodeError:
        return False
    return True


def _path(error: Exception) -> str:
    """What msgspec says of types, with its path, such as `$.time`. Of an enum it quotes the value: that is left out."""
    said = str(error)
    if said.startswith("Invalid enum value"):
        said = "Invalid enum value" + said[said.rfind(" - at `$") :] if " - at `$" in said else "Invalid enum value"
    return said[:200]


def _refuse_nul(raw: bytes) -> None:
    """PostgreSQL takes no NUL in text: refuse it here, where both databases agree. An escaped backslash is no NUL."""
    try:
        value = msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return
    if _holds_nul(value):
        raise Reject("nul")


def _holds_nul(value: object) -> bool:
    """Whether any key or string in it holds a NUL. Depth costs no stack."""
    waiting = [value]
    while waiting:
        value = waiting.pop()
        if isinstance(value, str):
            if "\0" in value:
                return True
        elif isinstance(value, dict):
            waiting += [*value.keys(), *value.values()]
        elif isinstance(value, list):
            waiting += value
    return False
