"""Free-text order -> JSON with the three to five fields its schema asks for."""

from random import Random
from typing import Any

from shadow.training import words
from shadow.training.example import Example, compact, json_format, object_schema, reworded, system, user

_TYPES: dict[str, dict[str, Any]] = {
    "item": {"type": "string"},
    "quantity": {"type": "integer", "minimum": 1},
    "customer": {"type": "string"},
    "city": {"type": "string"},
    "day": {"type": "string", "enum": list(words.DAYS)},
    "express": {"type": "boolean"},
}
_FORMS = {
    "order": ("item", "quantity", "city"),
    "counter_order": ("customer", "item", "quantity"),
    "delivery": ("customer", "item", "quantity", "city"),
    "pickup": ("customer", "item", "quantity", "day"),
    "shipment": ("item", "quantity", "city", "day", "express"),
    "express_order": ("item", "quantity", "city", "express"),
}
_OPENINGS = ("", "", "Hi, ", "Hello, ", "Good morning, ", "Hey there, ", "Dear team, ")
_ASKS = (
    "I'd like {n} {item}", "please send {n} {item}", "can I order {n} {item}", "we need {n} {item}",
    "I want to buy {n} {item}", "put me down for {n} {item}", "could you get us {n} {item}",
)  # fmt: skip
_CITY = (" to {city}", " delivered to {city}", " for our office in {city}", " sent to {city}")
_CUSTOMER = (
    " My name is {customer}.",
    " It is for {customer}.",
    " Order for {customer}.",
    " This is {customer}.",
)
_DAY = (" We need it by {day}.", " {day} would be best.", " Please have it ready on {day}.", " Is {day} ok?")
_EXPRESS = {
    True: (" Express please.", " It is urgent.", " Use express shipping."),
    False: (" No rush.", " Standard shipping is fine.", " No hurry at all."),
}
_CLOSINGS = ("", "", "", " Thanks!", " Thank you.", " Cheers", " Same as last time.")


def _wording(rng: Random, value: dict[str, Any], count: str) -> str:
    """All fields of `value` in one message; clauses come in a random order after the request itself."""
    ask = rng.choice(_ASKS).format(n=count, item=value["item"])
    if "city" in value:
        ask += rng.choice(_CITY).format(city=value["city"])
    clauses = []
    if "customer" in value:
        clauses.append(rng.choice(_CUSTOMER).format(customer=value["customer"]))
    if "day" in value:
        clauses.append(rng.choice(_DAY).format(day=value["day"]))
    if "express" in value:
        clauses.append(rng.choice(_EXPRESS[value["express"]]))
    rng.shuffle(clauses)
    opening = rng.choice(_OPENINGS)
    sentence = opening + ask if opening else ask[0].upper() + ask[1:]
    return sentence + "." + "".join(clauses) + rng.choice(_CLOSINGS)


def make(rng: Random) -> Example:
    name = rng.choice(list(_FORMS))
    quantity = rng.randint(2, 60)
    count = str(quantity)
    if rng.random() < 0.15:
        quantity = rng.randint(2, 12)
        count = words.NUMBER_WORDS[quantity - 2]
    drawn: dict[str, Any] = {
        "item": words.thing(rng), "quantity": quantity, "customer": words.person(rng),
        "city": words.city(rng), "day": rng.choice(words.DAYS), "express": rng.random() < 0.5,
    }  # fmt: skip
    value = {field: drawn[field] for field in _FORMS[name]}
    text = _wording(rng, value, count)
    prefix = (system("Turn the order into JSON."),) if rng.random() < 0.5 else ()
    return Example(
        route="order",
        messages=(*prefix, user(text)),
        answer=compact(value),
        kind="json",
        value=value,
        response_format=json_format(name, object_schema({field: _TYPES[field] for field in value})),
        rephrasings=reworded(rng, text, [_wording(rng, value, count) for _ in range(2)]),
    )
