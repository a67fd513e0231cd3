"""Whether a build can be asked a request again: the one rule, for replays and for whoever foretells them."""

from __future__ import annotations

import msgspec

from monitor.model import Event, Sampling


def why_not(event: Event) -> str | None:
    """Why no build can be asked this again, in words; None if one can. An absent temperature counts as zero."""
    if not event.messages:
        return "no messages"
    if (event.sampling or Sampling()).temperature:
        return "sampled at a temperature above zero"
    if any(message.content is None and not message.tool_calls for message in event.messages):
        return "a message without text"
    if bytes(event.tools) and not _decodes(event.tools, list[object] | None):
        return "tools that are no list"
    form = event.response_format
    if form is not None and form.json_schema is not None and bytes(form.json_schema.schema):
        return None if _decodes(form.json_schema.schema, object) else "a response format that is no JSON"
    return None


def _decodes(raw: msgspec.Raw, shape: object) -> bool:
    try:
        msgspec.json.decode(raw, type=shape)
    except msgspec.MsgspecError:
        return False
    return True
