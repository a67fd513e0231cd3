"""The demo's story without its waiting: the real model, the real store and the real evaluator on a made-up clock."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy.engine import Engine

from monitor.model import Event, Output, Timings, Verdict
from monitor.plan import Plan
from services.bootstrap import generator, scorer, shadow_worker
from services.evaluate import Evaluator
from services.ingest.inbox import Inbox
from services.planfile import read_plan
from services.runtime import Ingestion
from services.simulate.users import Users
from services.store.engine import open_engine, upgrade
from services.store.inbox import accept

DEPLOYMENT, GOOD, BAD = "assistant", "small-int8", "small-int4"
PLAN = Path(str(files("services.simulate") / "plan.yaml"))
BATCH = 32
EVERY = 4.0


@dataclass(slots=True)
class Story:
    """A deployment that lives through its builds, `EVERY` seconds of made-up time a batch of requests."""

    folder: Path
    now: float
    destinations: tuple[str, ...] = ()
    verdicts: list[Verdict] = field(default_factory=list)
    plan: Plan = field(init=False)
    engine: Engine = field(init=False)
    _generate: Callable[[str, list[Any]], list[Any]] = field(init=False)
    _users: Users = field(init=False)
    _ingestion: Ingestion = field(init=False)
    _evaluator: Evaluator = field(init=False)
    _worker: Any = field(init=False)

    def __post_init__(self) -> None:
        # Every unit is replayed, so that the story is shorter than the demo; and it may be looked at an hour later.
        turned_up = PLAN.read_text().replace("share: 0.75", "share: 1.0").replace("stale_after: 2m", "stale_after: 1h")
        self.plan_file.write_text(turned_up)
        self.plan = read_plan(str(self.plan_file))
        self.engine = open_engine(self.url)
        upgrade(self.engine)
        self._generate = generator(self.plan, DEPLOYMENT, PLAN.parent)
        self._users = Users(DEPLOYMENT, 1, scorer(self.plan, DEPLOYMENT))
        self._ingestion = Ingestion(self.engine, self.plan, self.clock)
        self._evaluator = Evaluator(self.engine, self.plan, self.clock, self.destinations)
        self._worker = shadow_worker(self.engine, self.plan, self.clock, PLAN.parent, "story")
        self._worker.limit = 2 * BATCH

    @property
    def plan_file(self) -> Path:
        """The demo's plan, with its sampling turned up."""
        return self.folder / "plan.yaml"

    @property
    def url(self) -> str:
        """The store's database."""
        return f"sqlite:///{self.folder / 'story.db'}"

    def clock(self) -> int:
        """The made-up time in milliseconds."""
        return int(self.now * 1000)

    def serve(self, variant: str, requests: int) -> None:
        """So many requests to a build: answered, logged, replayed, sealed and looked at as time goes by."""
        for _ in range(0, requests, BATCH):
            self.now += EVERY
            events = [self._users.ask(self._users.begin(self.now), variant, self.now - i * 0.05) for i in range(BATCH)]
            answered = [_logged(e, o) for e, o in zip(events, self._generate(variant, events), strict=True)]
            accept(self.engine, [msgspec.json.encode(event) for event in answered], self.clock())
            self.look()

    def pause(self, seconds: float) -> None:
        """Time without requests, so that the last buckets seal."""
        for _ in range(round(seconds / EVERY)):
            self.now += EVERY
            self.look()

    def look(self) -> None:
        """One round of intake, replay and evaluation."""
        self._ingestion.read(Inbox(self.engine, self.clock))
        while self._worker.run_once():
            pass
        self.verdicts += self._evaluator.look()

    def last(self, variant: str) -> Verdict:
        """The newest verdict on a build."""
        return next(verdict for verdict in reversed(self.verdicts) if verdict.variant == variant)


def _logged(event: Event, output: Output) -> Event:
    timings = Timings(queue=2.0, total=20.0 + 4.0 * len(output.token_ids))
    return msgspec.structs.replace(
        event, output=output, timings=timings, completion_tokens=len(output.token_ids) or None
    )
