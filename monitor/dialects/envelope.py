"""What a line says around its two bodies, by the plan's mapping: when, where, by which build, for whom, how long."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from monitor.dialects.engine import engine_timings
from monitor.dialects.mapping import MappingRule
from monitor.dialects.places import Line, Sought, Take, file_name, lowered
from monitor.dialects.values import (
    Fields,
    as_count,
    as_milliseconds,
    as_name,
    as_object,
    as_response,
    as_seconds,
    as_tag,
)
from monitor.errors import Reject

Home = Callable[[str], str | None]
"""From a variant to the deployment of a line that names none; None if nobody knows. See `Plan.home`."""

_DEFAULT: Final = MappingRule()
_BUILD: Final = ("system_fingerprint", "response.system_fingerprint")
"""A tag that every line gets whose response has it: by it two builds that serve under one name are told apart."""
_TAKES: Final[dict[str, Take[Any]]] = {
    "id": as_name,
    "time": as_seconds,
    "variant": as_name,
    "deployment": as_name,
    "received_at": as_seconds,
    "conversation": as_name,
    "turn": as_count,
    "user": as_name,
}


class Reading:
    """One line while it is read: its native fields so far, where each came from, and what was sought in vain."""

    def __init__(self, line: Line) -> None:
        self.line = line
        self.fields: Fields = {}
        self.origins: dict[str, str] = {}
        self.missing: dict[str, str | Sought] = {}

    def look(self, name: str, sought: Sought, take: Take[Any]) -> Any:
        """The value of a field, with its origin noted; None if it stands nowhere, which is noted too."""
        found = sought.find(self.line, take)
        if found is None:
            self.missing[name] = sought
            return None
        self.origins[name] = found[1]
        return found[0]

    def reason(self, name: str) -> str:
        """Why a missing field is missing, in words: nothing there, or something of another kind."""
        given = self.missing[name]
        return given if isinstance(given, str) else given.reason(self.line)


class Envelope:
    """A mapping, ready to be applied to lines."""

    def __init__(self, rule: MappingRule, home: Home) -> None:
        self._rule = rule
        self._home = home
        self._request, self._response = Sought(rule.request), Sought(rule.response)
        self._headers, self._tables = Sought(rule.headers), Sought(rule.tags_from)
        self._fields = {name: Sought(getattr(rule, name)) for name in _TAKES}
        self._tags = {name: Sought(places) for name, places in {_BUILD[0]: _BUILD[1], **rule.tags}.items()}
        self._timings = {name: Sought(getattr(rule.timings, name)) for name in rule.timings.__struct_fields__}
        self._load = {name: Sought(getattr(rule.load, name)) for name in rule.load.__struct_fields__}

    def open(self, whole: dict[str, Any], source: str) -> Reading | None:
        """The line with its bodies; None if it is no pair. Half a pair raises `Reject`: no_request, no_answer."""
        line = Line(whole, file_name(source))
        request = self._request.find(line, as_object)
        response = self._response.find(line, as_response)
        if request is None:
            mapped = self._rule.request != _DEFAULT.request
            if mapped or (response is not None and "choices" in response[0]):
                raise Reject("no_request", self._request.reason(line))
            return None
        line.request = request[0]
        if response is None:
            if "messages" in line.request:
                raise Reject("no_answer", self._response.reason(line))
            return None
        line.response = response[0]
        line.headers = lowered((self._headers.find(line, as_object) or ({}, ""))[0])
        return Reading(line)

    def address(self, reading: Reading) -> None:
        """Everything but the bodies. Raises `Reject`: no_time, no_variant, no_deployment."""
        found = {name: reading.look(name, sought, _TAKES[name]) for name, sought in self._fields.items()}
        if found["time"] is None:
            raise Reject("no_time", reading.reason("time"))
        if found["variant"] is None:
            raise Reject("no_variant", reading.reason("variant"))
        if found["deployment"] is None:
            found["deployment"] = self._at_home(reading, found["variant"])
        reading.fields |= {name: value for name, value in found.items() if value is not None}
        reading.fields["tags"] = self._all_tags(reading)
        reading.fields["timings"] = self._all_timings(reading)
        load = {name: reading.look(f"load.{name}", sought, as_count) for name, sought in self._load.items()}
        reading.fields["load"] = load if any(value is not None for value in load.values()) else None

    def _at_home(self, reading: Reading, variant: str) -> str:
        """The deployment of a line that names none; a mapping that was given for it is never guessed around."""
        home = self._home(variant) if self._rule.deployment == _DEFAULT.deployment else None
        if home is None:
            raise Reject("no_deployment", reading.reason("deployment"))
        del reading.missing["deployment"]
        reading.origins["deployment"] = "default"
        return home

    def _all_tags(self, reading: Reading) -> Fields | None:
        tags: Fields = {}
        for spot in self._tables.spots:
            table = as_object(spot.look(reading.line)) or {}
            for name, value in table.items():
                if (tag := as_tag(value)) is not None and name not in tags:
                    tags[name] = tag
                    reading.origins[f"tags.{name}"] = f"{spot.words}.{name}"
        for name, sought in self._tags.items():
            if (tag := reading.look(f"tags.{name}", sought, as_tag)) is not None:
                tags[name] = tag
        return tags or None

    def _all_timings(self, reading: Reading) -> Fields | None:
        """The line's own durations; the engine's only where the line has neither, since they start at other moments."""
        found = {name: reading.look(f"timings.{name}", s, as_milliseconds) for name, s in self._timings.items()}
        engine = engine_timings(reading.line.response)
        if engine is not None and found["first_token"] is None and found["total"] is None:
            durations, place = engine
            for name in durations:
                reading.origins[f"timings.{name}"] = place
                reading.missing.pop(f"timings.{name}", None)
            found |= durations
        return found if any(value is not None for value in found.values()) else None
