"""What is read in a run: two deployments in one topic, of which one is replayed and the other brings its own pairs.

Events happened long ago, so that no run waits for time to pass: the watermarks go with the stamps of the messages, and
to now at the end of a partition. Replays may take as long as they like, or facts would hang on the speed of this
machine: their pairs are sealed at the end of a run. Recorded pairs are sealed as they come, and make alerts meanwhile.
"""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any, Final

from monitor.plan import Plan
from services.planfile import read_plan
from services.stream.fetched import Message
from tests.support.events import SCHEMA, SHOP, START, Json, line, random_log, request
from tests.support.partitions import STEP, memorable_log, parted

PARTITIONS: Final = 4
SIZE: Final = 400
_FORMAT: Final = {"type": "json_schema", "json_schema": {"name": "order", "schema": SCHEMA}}


def write_plan(folder: Path, webhook: str) -> Path:
    """The plan as a file, and the recorded builds beside it."""
    arms = {name: {"arm": {"backend": "recorded", "model": f"{name}.jsonl"}} for name in ("shop-fp16", "shop-int4")}
    shop = SHOP | {
        "variants": arms | {"shop-int8": {}},
        "shadow": {"share": 0.5, "horizon": "36500d"},
        "joins": {"share": 1.0, "horizon": "2m"},
    }
    desk: Json = {
        "bucket": "30s",
        "lateness": "30s",
        "reference": "desk-fp16",
        "variants": {"desk-fp16": {}, "desk-int4": {}},
        "shadow": {"horizon": "10s"},
        "correction": {"horizon": "10s"},
    }
    plan: dict[str, Any] = {"deployments": {"shop": shop, "desk": desk}}
    plan["webhooks"] = [{"url": webhook, "secret_env": "KILL_SECRET"}]
    (folder / "plan.yaml").write_text(json.dumps(plan))
    _record(folder)
    return folder / "plan.yaml"


def plan_in(folder: Path) -> Plan:
    """The same, read."""
    return read_plan(str(folder / "plan.yaml"))


def log_of(seed: int) -> list[list[Message]]:
    """The partitions of a run's topic."""
    draw = random.Random(seed)
    shop = random_log(seed, SIZE) if seed % 2 else memorable_log(SIZE)
    return parted([_desk(draw, place) if place % 3 == 0 else shop[place] for place in range(SIZE)], PARTITIONS)


def _desk(draw: random.Random, place: int) -> bytes:
    """A request with the reference's answer, and a build that is worse."""
    text = '{"sku":' if draw.random() < 0.6 else '{"sku":"a1"}'
    given: dict[str, Any] = {
        "deployment": "desk",
        "variant": "desk-int4",
        "response_format": _FORMAT,
        "output": {"text": text, "finish_reason": "stop"},
        "reference": {"text": '{"sku":"a1"}', "finish_reason": "stop"},
    }
    return line(request(f"d{place}", START + place * STEP / 1000, **given))


def _record(folder: Path) -> None:
    """Answers for every id that a log may have."""
    names = [f"r{number}" for number in range(2 * SIZE)] + [
        f"r{number}-{kind}" for number in range(SIZE) for kind in range(4)
    ]
    for build, said in (("shop-fp16", '{"sku":"a1"}'), ("shop-int4", '{"sku":7}')):
        answers = [json.dumps({"id": name, "output": {"text": said, "finish_reason": "stop"}}) for name in names]
        (folder / f"{build}.jsonl").write_text("\n".join(answers))
