"""One log with everything in it that may happen, and the plans that it is read under: the same by every path.

What is asked of the paths is equality, so no line may have an answer that hangs on the path. Each has one because:

* every request carries its arrival (`received_at`), and so does every delivery: the stamp of a Kafka message, the clock
  of the API when it was posted. Garbage, scores and feedback carry none in a file, where their own time, which is never
  later, stands in for it: it moves no watermark further than a request did;
* a path's watermark is the latest arrival that *it* has read, of a partition or of the whole log, and the two differ by
  as long as a partition is silent, about a minute here. So nothing is late by a little: what is on time comes at most
  500 seconds after its event, what is late comes 4,000 seconds after it, and the lateness is 900. A copy comes
  within 500 seconds, and is a copy, or after more than 1,100, and is late;
* either half lasts less than the lateness. So a partition that is at its end for now, whose watermark goes on with the
  clock, never overtakes what is still to come;
* feedback and scores name their request's conversation, so that a producer keys them like it (docs/kafka.md): what is
  compared with one another lies in one partition, in its order.

What differs by design, and is not compared: names and positions of sources, ids of rows, times of writing.
"""

from __future__ import annotations

import json
import random
from typing import Any, Final, NamedTuple

import msgspec

from monitor.plan import Plan
from services.stream.fetched import Message
from tests.support.events import BOT, GARBAGE, SCHEMA, SHOP, START, Json, feedback, line, random_log, request, score
from tests.support.partitions import key_of, number_of

SIZE: Final = 600
BURST: Final = 10
SECONDS: Final = 25
"""Between two bursts: log lines are written, and arrive, so many at once."""
CHANGE: Final = 300
"""From this line on the log is read under the changed plan."""
LATE: Final = 4_000

_JOINED: Final = {"joins": {"share": 1.0, "horizon": "4m"}}
_NEXT_SLICES: Final[list[Json]] = [
    {"name": "orders", "where": {"tags": {"route": "order"}}},
    {"name": "long", "where": {"prompt_tokens_from": 300}},
    {"name": "tools", "where": {"structure": "tools"}},
]


class Line(NamedTuple):
    """One line and its arrival, in milliseconds."""

    arrival: int
    body: bytes


def plans() -> tuple[Plan, Plan]:
    """The plan of the first half, and that of the second: slices were added, dropped and redefined, rules changed."""
    first = SHOP | _JOINED | {"lateness": "15m"}
    signals = {"schema": {"tolerance": 0.03}}
    second = first | {"slices": _NEXT_SLICES, "correction": {"horizon": "60s", "loop": 2}, "signals": signals}
    bot = BOT | {"lateness": "15m"}
    before, after = ({"deployments": {"shop": shop, "bot": bot}} for shop in (first, second))
    return msgspec.convert(before, Plan), msgspec.convert(after, Plan)


def golden_log(seed: int = 5) -> list[Line]:
    """The log; the same for the same seed. Its bursts begin with a whole record."""
    draw = random.Random(seed)
    base = random_log(seed, SIZE * 5 // 3)  # about as long in time
    talks = _conversations(base)
    lines: list[Line] = []
    while len(lines) < SIZE:
        at = int(START) + SECONDS * (len(lines) // BURST)
        body = base[len(lines) * 5 // 3]
        if draw.random() < 0.4 or len(lines) % BURST == 0:
            body = _recorded_pair(draw, len(lines), at)
        elif len(lines) % 37 == 5:
            body = GARBAGE[len(lines) // 37 % len(GARBAGE)]
        elif draw.random() < 0.12 and len(lines) > SIZE // 5:
            body = _late(draw, len(lines), at, lines)
        lines.append(Line(at * 1000, _delivered(body, at, talks)))
    return lines


def halves(log: list[Line]) -> tuple[list[Line], list[Line]]:
    """What is read under the first plan, and what under the second."""
    return log[:CHANGE], log[CHANGE:]


def bursts(log: list[Line]) -> list[list[Line]]:
    """The lines that arrive at once."""
    return [log[at : at + BURST] for at in range(0, len(log), BURST)]


def partitions(log: list[Line], number: int) -> list[list[Message]]:
    """The same as messages: keyed as producers should, spread by key, stamped with their arrivals."""
    parts: list[list[Message]] = [[] for _ in range(number)]
    for each in log:
        key = key_of(each.body)
        parts[number_of(key, number)].append(Message(0, each.arrival, key, each.body))
    return parts


def _conversations(base: list[bytes]) -> dict[str, str]:
    """The conversation of each request that has one."""
    found: dict[str, str] = {}
    for body in base:
        said = _read(body)
        if said is not None and "kind" not in said and said.get("conversation"):
            found[said["id"]] = said["conversation"]
    return found


def _read(body: bytes) -> Json | None:
    try:
        said = json.loads(body)
    except ValueError:
        return None
    return said if isinstance(said, dict) and isinstance(said.get("time"), float) and "deployment" in said else None


def _delivered(body: bytes, at: int, talks: dict[str, str]) -> bytes:
    """A record as it was delivered then: a request with its arrival, all else with its request's conversation."""
    said = _read(body)
    if said is None:
        return body.strip()
    if "kind" not in said:
        return line(said | {"received_at": float(at)})
    talk = talks.get(said["request"])
    return line(said | {"time": min(said["time"], float(at))} | ({"conversation": talk} if talk else {}))


def _recorded_pair(draw: random.Random, number: int, at: int) -> bytes:
    """A request whose log brings the reference's answer too; that of one build is worse."""
    variant = draw.choice(("shop-int4", "shop-int4", "shop-int8"))
    broken = draw.random() < (0.5 if variant == "shop-int4" else 0.02)
    given: dict[str, Any] = {
        "variant": variant,
        "tags": {"route": "order"},
        "response_format": {"type": "json_schema", "json_schema": {"name": "order", "schema": SCHEMA}},
        "output": {"text": '{"sku":' if broken else '{"sku":"a1"}', "finish_reason": "stop"},
        "reference": {"text": '{"sku":"a1"}', "finish_reason": "stop"},
    }
    return line(request(f"p{number}", at - draw.randint(0, 40) - 0.25, **given))


def _late(draw: random.Random, number: int, at: int, lines: list[Line]) -> bytes:
    """What comes long after its time, or about something that was long before."""
    kind = draw.randrange(5)
    if kind == 0:
        return line(request(f"late{number}", at - LATE - 0.5))
    if kind == 1:  # feedback in time, for a request that nobody waits for any more
        return line(feedback(f"f{number}", f"p{number - number % BURST - 40 * BURST // 2}", at - 0.5))
    if kind == 2:  # feedback that itself comes too late
        return line(feedback(f"f{number}", f"p{number - number % BURST}", at - LATE - 0.5))
    if kind == 3:  # feedback and a score minutes after their request, and in time
        make = draw.choice((feedback, score))
        return line(make(f"f{number}", f"p{number - number % BURST - 5 * BURST}", at - 0.5))
    return lines[draw.randrange(SIZE // 10)].body if number > SIZE * 9 // 10 else lines[-draw.randint(1, 90)].body
