"""A request and two to four offered tools -> the one right call with its arguments."""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any

from shadow.training import words
from shadow.training.example import Example, compact, object_schema, reworded, system, user


@dataclass(frozen=True, slots=True)
class _Tool:
    name: str
    description: str
    parameters: tuple[str, ...]
    wordings: tuple[str, ...]


_Draw = Callable[[Random], Any]
_VALUES: dict[str, tuple[dict[str, Any], _Draw]] = {
    "city": ({"type": "string"}, words.city),
    "days": ({"type": "integer", "minimum": 1}, lambda rng: rng.randint(2, 14)),
    "person": ({"type": "string"}, words.person),
    "time": ({"type": "string"}, words.clock),
    "day": ({"type": "string", "enum": list(words.DAYS)}, lambda rng: rng.choice(words.DAYS)),
    "amount": ({"type": "integer", "minimum": 1}, lambda rng: rng.randint(5, 990)),
    "currency": ({"type": "string"}, lambda rng: rng.choice(words.CURRENCIES)),
    "language": ({"type": "string"}, lambda rng: rng.choice(words.LANGUAGES)),
    "word": ({"type": "string"}, lambda rng: words.coined(rng).lower()),
    "item": ({"type": "string"}, words.thing),
    "order_id": ({"type": "string"}, lambda rng: f"{rng.choice('ABCDEFGH')}{rng.randint(1000, 99999)}"),
    "company": ({"type": "string"}, words.coined),
    "minutes": ({"type": "integer", "minimum": 1}, lambda rng: rng.randint(2, 95)),
    "room": ({"type": "string"}, lambda rng: f"{rng.choice('ABCD')}{rng.randint(100, 499)}"),
}
_TOOLS = (
    _Tool("get_weather", "Weather forecast for a city", ("city", "days"), (
        "What will the weather be in {city} for the next {days} days?",
        "{days} day forecast for {city} please",
        "How does the weather look in {city} over {days} days?",
    )),
    _Tool("book_table", "Book a restaurant table", ("city", "person", "time"), (
        "Book a table in {city} at {time} for {person}.",
        "{person} wants dinner in {city} at {time}, get a table.",
        "Table under the name {person}, {time}, somewhere in {city}.",
    )),
    _Tool("convert_money", "Convert an amount into a currency", ("amount", "currency"), (
        "Convert {amount} dollars to {currency}.",
        "How much is {amount} dollars in {currency}?",
        "I have {amount} dollars, what is that in {currency}?",
    )),
    _Tool("translate", "Translate a word", ("word", "language"), (
        "How do you say {word} in {language}?",
        "Translate {word} into {language}.",
        "What is the {language} word for {word}?",
    )),
    _Tool("track_order", "Where an order is", ("order_id",), (
        "Where is my order {order_id}?",
        "Has {order_id} been shipped yet?",
        "Track order {order_id} for me.",
    )),
    _Tool("cancel_order", "Cancel an order", ("order_id", "person"), (
        "Cancel order {order_id}, my name is {person}.",
        "{person} here, I no longer want {order_id}.",
        "Please stop {order_id}, it was placed by {person}.",
    )),
    _Tool("set_timer", "Start a timer", ("minutes",), (
        "Set a timer for {minutes} minutes.",
        "Wake me in {minutes} minutes.",
        "Timer, {minutes} minutes please.",
    )),
    _Tool("add_meeting", "Add a meeting to the calendar", ("person", "day", "time"), (
        "Meet {person} on {day} at {time}.",
        "Put a meeting with {person} in my calendar, {day} {time}.",
        "On {day} at {time} I am seeing {person}, add it.",
    )),
    _Tool("stock_price", "Share price of a company", ("company",), (
        "What does a share of {company} cost?",
        "Stock price of {company}?",
        "How is {company} trading today?",
    )),
    _Tool("send_message", "Send somebody a message", ("person", "word"), (
        "Text {person} the word {word}.",
        "Send {word} to {person}.",
        "Message {person} saying {word}.",
    )),
    _Tool("find_hotel", "Hotels in a city", ("city", "amount"), (
        "Find a hotel in {city} under {amount} a night.",
        "I need a room in {city}, at most {amount}.",
        "Hotels in {city}, budget {amount}?",
    )),
    _Tool("check_stock", "Items left in the warehouse", ("item", "city"), (
        "How many {item} are left in {city}?",
        "Do we still have {item} in {city}?",
        "Check the {city} warehouse for {item}.",
    )),
    _Tool("set_heating", "Heat a room", ("room", "time"), (
        "Heat room {room} from {time}.",
        "Turn the heating on in {room} at {time}.",
        "Make {room} warm by {time} please.",
    )),
    _Tool("call_taxi", "Order a taxi", ("city", "time"), (
        "I need a taxi in {city} at {time}.",
        "Get me a cab, {city}, {time}.",
        "Taxi for {time} in {city} please.",
    )),
)  # fmt: skip
_LEADS = ("", "", "", "Hi! ", "Hello. ", "Please help. ", "Quick one: ", "Hey, ")


def _definition(tool: _Tool) -> dict[str, Any]:
    schema = object_schema({name: _VALUES[name][0] for name in tool.parameters})
    return {
        "type": "function",
        "function": {"name": tool.name, "description": tool.description, "parameters": schema},
    }


def make(rng: Random) -> Example:
    offered = rng.sample(_TOOLS, rng.randint(2, 4))
    tool = rng.choice(offered)
    arguments = {name: _VALUES[name][1](rng) for name in tool.parameters}
    texts = [rng.choice(_LEADS) + wording.format(**arguments) for wording in tool.wordings]
    rng.shuffle(texts)
    call = {"name": tool.name, "arguments": arguments}
    prefix = (system("Call one tool."),) if rng.random() < 0.3 else ()
    return Example(
        route="tools",
        messages=(*prefix, user(texts[0])),
        answer=compact(call),
        kind="tool_call",
        value=call,
        tools=tuple(_definition(entry) for entry in offered),
        rephrasings=reworded(rng, texts[0], texts[1:]),
    )
