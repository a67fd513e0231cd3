"""Part codes, serial numbers and coined names, copied exactly: the rare vocabulary of the traffic."""

from random import Random
from typing import Any

from shadow.training import words
from shadow.training.example import Example, compact, json_format, object_schema, reworded, user

_STRING = {"type": "string"}
_REPORTS = (
    "Unit {part} with serial {serial} failed in {site}.",
    "The {site} team reports that serial {serial} of part {part} is broken.",
    "Part {part}, serial {serial}, came back from {site}.",
    "In {site} we swapped part {part}. Its serial is {serial}.",
    "Please log part {part} / serial {serial} for {site}.",
    "Serial {serial} (part {part}) needs a repair in {site}.",
)
_FORMS: dict[str, tuple[str, ...]] = {
    "unit": ("part", "serial"),
    "fault": ("part", "serial", "site"),
    "part_at": ("part", "site"),
    "serial_at": ("serial", "site"),
}
_QUESTIONS = {
    "part": ("Which part is it?", "Give me the part number.", "Part number only, please."),
    "serial": ("What is the serial number?", "Tell me the serial.", "Only the serial, please."),
}


def _value(rng: Random) -> dict[str, str]:
    return {"part": words.code(rng), "serial": words.code(rng), "site": words.coined(rng)}


def _as_json(rng: Random) -> Example:
    drawn = _value(rng)
    name = rng.choice(list(_FORMS))
    value = {field: drawn[field] for field in _FORMS[name]}
    texts = [report.format(**drawn) for report in rng.sample(_REPORTS, 3)]
    schema: dict[str, Any] = object_schema(dict.fromkeys(value, _STRING))
    return Example(
        route="codes",
        messages=(user(texts[0]),),
        answer=compact(value),
        kind="json",
        value=value,
        response_format=json_format(name, schema),
        rephrasings=reworded(rng, texts[0], texts[1:]),
    )


def _as_text(rng: Random) -> Example:
    drawn = _value(rng)
    field = rng.choice(("part", "serial"))
    texts = [f"{report.format(**drawn)} {rng.choice(_QUESTIONS[field])}" for report in rng.sample(_REPORTS, 3)]
    return Example(
        route="codes",
        messages=(user(texts[0]),),
        answer=drawn[field],
        kind="text",
        value=drawn[field],
        rephrasings=reworded(rng, texts[0], texts[1:]),
    )


def make(rng: Random) -> Example:
    return _as_json(rng) if rng.random() < 0.7 else _as_text(rng)
