"""Native events for the benchmarks: real texts, seeded, as JSON Lines in the order in which servers log them.

Half of the outputs are JSON under a schema, a tenth answers with tool calls, the rest is free text, some of it
declining. Bodies are encoded once and reused with fresh ids, times and conversations, so that a million events are
written in seconds; apart from the deliberate duplicates no two records are equal.
"""

from __future__ import annotations

import gzip
import heapq
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import orjson

DEPLOYMENT = "assistant"
VARIANTS = ("assistant-fp16", "assistant-int4")
ROUTES = ("extract", "arguments", "agents", "tutor", "chat")
TIERS = ("free", "team", "business")
TENANTS = 600
START = 1_789_654_321.0
PER_SECOND = 1_000_000 / (6 * 3_600)
DUPLICATES = 0.01

_DATA = Path(__file__).parent / "data"
_SCRIPTS = 34_000
_SIZE = 1_370
"""Bytes of a body up to which the prompt is filled with worked examples."""

_LENGTHS, _WEIGHTS = (1, 2, 3, 4), (850, 75, 50, 25)
"""Turns of a script: 1.25 on average, so that a fifth of the requests are later turns."""

_ALONE = 500 / 850
"""The share of one-turn scripts that carry no conversation; 60 % of the requests carry one."""

_OPENERS = ("That's not what I asked. ", "No, that is wrong. ", "I meant this: ", "Sorry, once more: ", "", "", "", "")

Script = tuple[bytes, ...]
"""The bodies of a conversation's turns."""

Request = dict[str, Any]


def write(path: Path, events: int, seed: int) -> None:
    """Writes `events` records, duplicates among them, to `path`."""
    with path.open("wb", buffering=1 << 20) as file:
        file.writelines(lines(events, seed))


def lines(events: int, seed: int) -> Iterator[bytes]:
    """The same, line by line: fresh records, and a little later copies of some of them."""
    rng = random.Random(seed)
    scripts = Texts(rng).scripts(min(_SCRIPTS, max(200, events // 3)))
    fresh = _lines(scripts, rng, b"%08x" % rng.getrandbits(32))
    copies: list[tuple[int, bytes]] = []
    for number in range(events):
        if copies and (copies[0][0] <= number or len(copies) >= events - number):
            yield heapq.heappop(copies)[1]
            continue
        line = next(fresh)
        yield line
        if rng.random() < DUPLICATES / (1 - DUPLICATES):
            heapq.heappush(copies, (number + rng.randrange(1, 5_000), line))


def _lines(scripts: list[Script], rng: random.Random, run: bytes) -> Iterator[bytes]:
    """Records without end: conversations begin at random, and their later turns come when they are due."""
    now, number = START, 0
    due: list[tuple[float, int, bytes, Script]] = []
    while True:
        number += 1
        if due and due[0][0] <= now:
            at, _, talk, bodies = heapq.heappop(due)
        else:
            at, bodies = now, rng.choice(scripts)
            alone = len(bodies) == 1 and rng.random() < _ALONE
            talk = b"" if alone else b'"conversation":"c-%b-%x",' % (run, number)
            now += rng.expovariate(PER_SECOND * 0.8)
        yield b'{"id":"%b-%x","time":%.3f,%b%b\n' % (run, number, at - 3 * rng.random(), talk, bodies[0])
        if len(bodies) > 1:
            heapq.heappush(due, (at + 15 + rng.expovariate(1 / 60), number, talk, bodies[1:]))


class Texts:
    """Makes bodies of requests out of the texts in `data`."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.worked = read("gsm8k")
        self.calls = read("bfcl")
        self.entities = read("quant_pairs")
        self.asked = read("xstest")
        makers = (self._extract, self._arguments, self._agents, self._tutor, self._chat)
        self._makers: list[tuple[str, Callable[[], Request]]] = list(zip(ROUTES, makers, strict=True))

    def scripts(self, conversations: int) -> list[Script]:
        """So many conversations, most of them one turn long."""
        return [self._script(length) for length in self.rng.choices(_LENGTHS, _WEIGHTS, k=conversations)]

    def _script(self, length: int) -> Script:
        [(route, make)] = self.rng.choices(self._makers, (25, 25, 10, 25, 15))
        tenant = f"t{int(20 * self.rng.paretovariate(0.9)) % TENANTS:03d}"
        tags = {"route": route, "tier": self.rng.choice(TIERS), "tenant": tenant}
        common = {"deployment": DEPLOYMENT, "variant": self.rng.choice(VARIANTS), "tags": tags}
        bodies: list[bytes] = []
        before: list[dict[str, Any]] = []
        request: Request = {}
        for turn in range(length):
            if turn == 0 or self.rng.random() < 0.8:  # else the same prompt again
                request = make()
            question = request.pop("question")
            if turn:
                question = self.rng.choice(_OPENERS) + question
            messages = [*before, {"role": "user", "content": question}]
            bodies.append(self._body({**common, **request}, messages))
            answer = request["output"].get("text") or "Done."
            before = [*messages, {"role": "assistant", "content": answer}][-4:]
            request["question"] = question
        return tuple(bodies)

    def _body(self, request: Request, messages: list[dict[str, Any]]) -> bytes:
        system = [{"role": "system", "content": "You are a careful assistant. Answer what is asked, as asked."}]
        request["messages"] = system + messages
        request |= self._measures()
        room = _SIZE - len(orjson.dumps(request))
        if room > 0:
            example = self.rng.choice(self.worked)
            system[0]["content"] += f"\nFor example: {example['question']}\n{example['answer']}"[:room]
        size = sum(len(message["content"]) for message in request["messages"])
        request["prompt_tokens"] = size // 4 + int(300 * self.rng.paretovariate(1.2)) % 12_000
        request["completion_tokens"] = 1 + len(orjson.dumps(request["output"])) // 4
        return orjson.dumps(request)[1:]

    def _measures(self) -> Request:
        first = round(self.rng.lognormvariate(5, 0.6), 1)
        total = round(first + self.rng.lognormvariate(7, 0.7), 1)
        return {
            "timings": {"first_token": first, "total": total},
            "load": {"running": self.rng.randrange(1, 24), "waiting": self.rng.randrange(3)},
            "sampling": {"temperature": 0.2, "max_tokens": 1024},
        }

    def _extract(self) -> Request:
        text = self.rng.choice(self.worked)["question"]
        kinds = {"text": {"type": "string"}, "type": {"enum": ["PER", "ORG", "LOC", "MISC"]}}
        entity = {"type": "object", "properties": kinds, "required": ["text", "type"]}
        schema = {"type": "array", "items": entity}
        output = self.rng.choice(list(self.rng.choice(self.entities).values()))
        return {
            "question": f"List the named entities in: {text}",
            "response_format": _demand("entities", schema),
            "output": {"text": output, "finish_reason": "stop"},
        }

    def _arguments(self) -> Request:
        example = self.rng.choice(self.calls)
        call = example["calls"][0]
        schema = next((f["parameters"] for f in example["functions"] if f["name"] == call["name"]), {})
        return {
            "question": example["messages"][-1]["content"],
            "response_format": _demand("arguments", schema),
            "output": {"text": orjson.dumps(call["arguments"]).decode(), "finish_reason": "stop"},
        }

    def _agents(self) -> Request:
        example = self.rng.choice(self.calls)
        calls = [{"name": c["name"], "arguments": orjson.dumps(c["arguments"]).decode()} for c in example["calls"]]
        return {
            "question": example["messages"][-1]["content"],
            "tools": [{"type": "function", "function": function} for function in example["functions"]],
            "output": {"tool_calls": calls, "finish_reason": "tool_calls"},
        }

    def _tutor(self) -> Request:
        example = self.rng.choice(self.worked)
        return {"question": example["question"], "output": {"text": example["answer"], "finish_reason": "stop"}}

    def _chat(self) -> Request:
        example = self.rng.choice(self.asked)
        reason = "length" if self.rng.random() < 0.02 else "stop"
        return {"question": example["prompt"], "output": {"text": example["completion"], "finish_reason": reason}}


def _demand(name: str, schema: dict[str, Any]) -> Request:
    return {"type": "json_schema", "json_schema": {"name": name, "schema": schema}}


def read(name: str) -> list[dict[str, Any]]:
    """The rows of one file of texts."""
    with gzip.open(_DATA / f"{name}.jsonl.gz") as file:
        return [orjson.loads(line) for line in file]
