"""Four to six orders in one message -> a JSON array. The longest answers of all."""

from random import Random

from shadow.training import words
from shadow.training.example import Example, compact, json_format, object_schema, reworded, user

_FORMAT = json_format(
    "orders",
    {
        "type": "array",
        "items": object_schema({"item": {"type": "string"}, "quantity": {"type": "integer", "minimum": 1}}),
    },
)
_LEADS = ("We need ", "Please send ", "Our list: ", "Order for today: ", "Can you ship ", "This week: ")


def _wording(rng: Random, orders: list[dict[str, object]]) -> str:
    parts = [f"{order['quantity']} {order['item']}" for order in orders]
    return rng.choice(_LEADS) + ", ".join(parts[:-1]) + " and " + parts[-1] + "."


def make(rng: Random) -> Example:
    orders: list[dict[str, object]] = [
        {"item": words.thing(rng), "quantity": rng.randint(2, 60)} for _ in range(rng.randint(4, 6))
    ]
    text = _wording(rng, orders)
    return Example(
        route="list",
        messages=(user(text),),
        answer=compact(orders),
        kind="json",
        value=orders,
        response_format=_FORMAT,
        rephrasings=reworded(rng, text, [_wording(rng, orders) for _ in range(2)]),
    )
