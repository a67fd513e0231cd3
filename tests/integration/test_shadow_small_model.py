"""The shadow on the packaged model: formats in their order, arrangement, noise floor, and a worker that is killed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

import msgspec
import numpy as np
import pytest

import shadow.backends
from monitor.model import Arm, Event, Output
from monitor.plan import ArmRule
from shadow.backends import PACKAGED, Backend, Request, TokenScores, open_backend
from shadow.fidelity import compare
from shadow.ports import ArmResult, ReplayTask
from shadow.replay import request_of
from shadow.training.example import Example
from shadow.training.tasks import codes, order, refusal, tools
from shadow.worker import ShadowWorker
from tests.support.replay_queue import MemoryReplayQueue

if TYPE_CHECKING:
    from shadow.backends.transformers import TransformersBackend

MODEL = Path(shadow.backends.__file__).parent.parent / "data" / "model" / "config.json"
pytestmark = [
    pytest.mark.shadow,
    pytest.mark.skipif(not MODEL.is_file(), reason="the small model is not trained yet"),
]

PROMPTS, SOME = 48, 16
ARMS = (Arm.DEPLOYED, Arm.REFERENCE, Arm.SECOND)


class Killed(BaseException):
    """Stands for the end of the process."""


def prompts() -> list[Example]:
    rng = Random(11)
    found: list[Example] = []
    tasks = (order, codes, tools, refusal)
    while len(found) < PROMPTS:
        example = tasks[len(found) % len(tasks)].make(rng)
        if example.held_out:
            found.append(example)
    return found


def as_event(number: int, example: Example) -> Event:
    asked = {
        "id": f"r{number}",
        "deployment": "shop",
        "variant": "int4",
        "time": 0,
        "messages": list(example.messages),
        "tools": list(example.tools) if example.tools else None,
        "response_format": example.response_format,
        "sampling": {"temperature": 0, "max_tokens": 96},
    }
    return msgspec.json.decode(json.dumps({k: v for k, v in asked.items() if v is not None}), type=Event)


def opened(quantization: str | None) -> TransformersBackend:
    return open_backend(ArmRule(model=PACKAGED, quantization=quantization))  # type: ignore[return-value]


@pytest.fixture(scope="module")
def reference() -> TransformersBackend:
    return opened(None)


@pytest.fixture(scope="module")
def deployed() -> TransformersBackend:
    return opened("int4-channel")


@pytest.fixture(scope="module")
def events(deployed: TransformersBackend) -> list[Event]:
    """Events whose logged output is the deployed build's own answer, as a server would have logged it."""
    asked = [as_event(number, example) for number, example in enumerate(prompts())]
    answers = deployed.generate([request_of(event) for event in asked])
    return [
        msgspec.structs.replace(event, output=Output(answer.text, answer.tool_calls, answer.finish_reason))
        for event, answer in zip(asked, answers, strict=True)
    ]


def test_answers_and_scores_do_not_depend_on_the_arrangement(
    reference: TransformersBackend, events: list[Event]
) -> None:
    requests = [request_of(event) for event in events]
    together = reference.generate(requests)
    alone = [reference.generate([request])[0] for request in requests[:12]]
    assert [output.token_ids for output in together[:12]] == [output.token_ids for output in alone]
    scores = reference.score(requests, together)
    for output, score in zip(together, scores, strict=True):
        assert score is not None
        assert score.logprobs.tolist() == pytest.approx(output.logprobs, abs=1e-3)
    logged = reference.score(requests, [event.output for event in events])
    helped = reference.generate(requests, logged)
    assert [output.token_ids for output in helped] == [output.token_ids for output in together]


def test_coarser_formats_lie_further_from_full_precision(
    reference: TransformersBackend, deployed: TransformersBackend, events: list[Event]
) -> None:
    requests = [request_of(event) for event in events]
    full = reference.generate(requests)
    expected = reference.score(requests, full)

    def distance(build: TransformersBackend) -> float:
        pairs = zip(expected, build.score(requests, full), strict=True)
        found = [compare(p, q) for p, q in pairs]
        kl = [(each.mean_kl or 0.0) * each.tokens for each in found]
        return float(np.sum(kl) / sum(each.tokens for each in found))

    int8, grouped, per_channel = distance(opened("int8")), distance(opened("int4-g32")), distance(deployed)
    assert 0 < int8 < grouped < per_channel


class Dying:
    """A build whose process ends at the n-th batch it is given."""

    def __init__(self, backend: Backend, batches: int) -> None:
        self.backend = backend
        self.batches = batches

    @property
    def name(self) -> str:
        return self.backend.name

    def check(self, request: Request) -> None:
        self.backend.check(request)

    def generate(self, requests: Sequence[Request], scores: Sequence[TokenScores | None] | None = None) -> list[Output]:
        return self.backend.generate(requests, scores)

    def score(self, requests: Sequence[Request], outputs: Sequence[Output | None]) -> list[TokenScores | None]:
        if self.batches == 0:
            raise Killed
        self.batches -= 1
        return self.backend.score(requests, outputs)


def judge(event: Event, output: Output) -> dict[str, int]:
    return {"tool_call": int(bool(output.tool_calls)), "length": min(len(output.text or ""), 65_535)}


class Site:
    def __init__(self, events: Sequence[Event]) -> None:
        self.now = 0.0
        self.queue = MemoryReplayQueue(lambda: self.now)
        for event in events:
            self.queue.put(ReplayTask(event.id, "shop", "int4", msgspec.json.encode(event), ARMS))

    def worker(self, deployed: Backend, reference: Backend, limit: int) -> ShadowWorker:
        arms = {("shop", "int4"): deployed, ("shop", "reference"): reference}
        return ShadowWorker(
            self.queue,
            arms,
            judge,
            lambda data: msgspec.json.decode(data, type=Event),
            lambda: self.now,
            lease=60,
            limit=limit,
        )


def until_idle(worker: ShadowWorker) -> None:
    while worker.run_once():
        pass


@pytest.fixture(scope="module")
def replayed(
    reference: TransformersBackend, deployed: TransformersBackend, events: list[Event]
) -> dict[tuple[str, Arm], ArmResult]:
    site = Site(events)
    worker = site.worker(deployed, reference, limit=len(events))
    assert worker.run_once() == PROMPTS
    return site.queue.results


def test_the_deployed_replay_is_what_was_logged(
    events: list[Event], replayed: dict[tuple[str, Arm], ArmResult]
) -> None:
    for event in events:
        output = replayed[event.id, Arm.DEPLOYED].output
        assert output is not None
        assert event.output is not None
        assert (output.text, output.tool_calls) == (event.output.text, event.output.tool_calls)


def test_the_noise_floor_lies_far_below_quantization(replayed: dict[tuple[str, Arm], ArmResult]) -> None:
    def mean_kl(arm: Arm) -> float:
        found = [result.fidelity for (_, which), result in replayed.items() if which is arm]
        assert all(each is not None and each.tokens for each in found)
        return float(np.mean([each.mean_kl for each in found if each is not None and each.mean_kl is not None]))

    second = [result.fidelity for (_, arm), result in replayed.items() if arm is Arm.SECOND]
    assert not any(each.flipped for each in second if each is not None)
    assert mean_kl(Arm.SECOND) < 1e-6 < 1e-4 < mean_kl(Arm.DEPLOYED)


def test_tool_calls_come_back_as_calls(events: list[Event], replayed: dict[tuple[str, Arm], ArmResult]) -> None:
    asked = [event.id for event in events if bytes(event.tools)]
    called = [replayed[name, Arm.REFERENCE].outcomes["tool_call"] for name in asked]
    assert sum(called) >= 0.9 * len(asked)


@pytest.mark.parametrize(("lived", "limit"), [(0, 8), (1, 8), (2, 6)])
def test_killed_and_restarted_it_ends_with_the_same_results(
    reference: TransformersBackend,
    deployed: TransformersBackend,
    events: list[Event],
    replayed: dict[tuple[str, Arm], ArmResult],
    lived: int,
    limit: int,
) -> None:
    site = Site(events[:SOME])
    with pytest.raises(Killed):
        until_idle(site.worker(deployed, Dying(reference, lived), limit))
    site.now += 61
    until_idle(site.worker(deployed, reference, limit))
    assert site.queue.open == set()
    assert site.queue.results.keys() == {(event.id, arm) for event in events[:SOME] for arm in ARMS}
    for key, result in site.queue.results.items():
        assert result.output is not None
        expected = replayed[key].output
        assert expected is not None
        assert result.output.token_ids == expected.token_ids
        assert result.outcomes == replayed[key].outcomes
