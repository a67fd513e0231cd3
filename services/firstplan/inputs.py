"""The plan's `input`: where this log says what the bodies of OpenAI's requests and responses do not."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from monitor.dialects.mapping import MappingRule
from monitor.survey.extract import Extract
from monitor.survey.fields import Field, fields
from services.firstplan.yamltext import Page, flow

_WITHOUT: Final = {
    "conversation": "without it every request is a unit of its own, although turns of a conversation fail together",
    "deployment": "without it a line belongs to the deployment below that has its variant",
}
"""What is worth looking for, and what is lost without it."""

_TIMINGS: Final = ("timings.first_token", "timings.total")
_SHOWN: Final = ("id", "time", "deployment", "variant", "conversation", "turn", "user", *_TIMINGS)


def put_input(page: Page, extract: Extract, mapping: MappingRule) -> None:
    """What was found, what was given, and the blanks; nothing for a log of native events alone."""
    if all(line.found.dialect != "openai" for line in extract.lines):
        return
    seen = {each.field: each for each in fields(line.found for line in extract.lines)}
    page.say(
        0, "The lines are requests with their responses, in the form of OpenAI's API. Besides the bodies they say:"
    )
    found = [name for name in seen if name in _SHOWN or name.startswith("tags.")]
    page.say(0, *(f"* {name}: {_places(seen[name])}" for name in found if seen[name].filled))
    given = _given(mapping)
    if given:
        page.put(0, "input:")
        page.put(1, "mapping:")
    for key, value in given.items():
        page.put(2, f"{key}: {flow(value)}")
    blanks = {key: blank for key, blank in _blanks(seen).items() if key not in given}
    page.say(0, "FILL IN what your lines say elsewhere:")
    if not given:
        page.blank(0, "input:")
        page.blank(0, "  mapping:")
    for key, (value, loss) in blanks.items():
        page.blank(0, f"    {key}: {flow(value)}", loss)
    page.space()


def _places(field: Field) -> str:
    return ", ".join("the default" if place == "default" else place for place in field.origins)


def _blanks(seen: dict[str, Field]) -> dict[str, tuple[Any, str]]:
    """Keys that nothing was found for, each with an example and with what is lost without it."""
    blanks: dict[str, tuple[Any, str]] = {}
    for name, loss in _WITHOUT.items():
        if not seen[name].filled or seen[name].origins == ("default",):
            blanks[name] = (f"$.path.to.{name}", loss)
    timings = [name.removeprefix("timings.") for name in _TIMINGS if not seen[name].filled]
    if timings:
        places = {name: f"$.path.to.{name}" for name in timings}
        blanks["timings"] = (places, "without them the signals of latency do not run")
    blanks["tags"] = ({"route": "headers.x-route"}, "what slices can match on")
    return blanks


def _given(mapping: MappingRule) -> dict[str, Any]:
    """What a mapping says beyond the defaults."""
    usual: dict[str, Any] = msgspec.to_builtins(MappingRule())
    said: dict[str, Any] = msgspec.to_builtins(mapping)
    return {key: _without_none(value) for key, value in said.items() if value != usual[key]}


def _without_none(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_none(inner) for key, inner in value.items() if inner is not None}
    return [_without_none(inner) for inner in value] if isinstance(value, list | tuple) else value
