"""The table of replays keeps the contract of every replay queue; its arms become pair facts, first result first."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa

from monitor.model import Arm, Missing, Output, Population
from monitor.outcomes import code
from monitor.watch import Watch
from services.store import tables as t
from services.store.queue import MAX_ATTEMPTS, ShadowQueue
from shadow.ports import ArmResult, ReplayTask
from tests.contract.replay_queue_contract import ReplayQueueContract
from tests.support.events import START, Json, lines, plan, request
from tests.support.stores import ListSource, counted, rows_of, seal_all, sealed_facts, store, take

pytestmark = pytest.mark.usefixtures("either_database")

SIGNALS = ("schema", "score")
PLAN = plan(bot=False, shadow={"share": 1.0, "horizon": "40s", "second_share": 0.0}, slices=[])


def as_task(row: Any) -> ReplayTask:
    arms = tuple(Arm(arm) for arm in row.arms.split(","))
    return ReplayTask(row.pair_id, row.deployment, row.variant, row.event, arms, row.attempts)


class TableWorld:
    """The queue table of a real store, with a clock that the test moves."""

    attempts = MAX_ATTEMPTS

    def __init__(self, folder: Path) -> None:
        self.now = 1_000_000
        self.engine = store(folder)
        self.queue = ShadowQueue(self.engine, lambda: self.now, 10**9, lambda _: SIGNALS, as_task)

    def put(self, task: ReplayTask) -> None:
        values = {"pair_id": task.pair_id, "deployment": task.deployment, "variant": task.variant, "event": task.event}
        values |= {"arms": ",".join(task.arms), "attempts": task.attempts, "leased_until": 0, "at": self.now}
        with self.engine.begin() as connection:
            connection.execute(sa.insert(t.queue).values(**values))

    def advance(self, seconds: float) -> None:
        self.now += int(seconds * 1000)

    def kept(self, pair_id: str, arm: Arm) -> ArmResult | None:
        for row in rows_of(self.engine, t.arm):
            if (row.pair_id, row.arm) == (pair_id, str(arm)):
                outcomes = msgspec.json.decode(row.outcomes, type=dict[str, int])
                missing = next((m for m in Missing if set(outcomes.values()) == {code(m)}), None)
                return ArmResult(pair_id, arm, outcomes, self._output(pair_id, arm), missing, None, row.seconds)
        return None

    def is_quarantined(self, pair_id: str) -> bool:
        refused = [row for row in rows_of(self.engine, t.quarantine) if row.reason == "replay_failed"]
        waiting = {row.pair_id for row in rows_of(self.engine, t.queue)}
        arms = [row for row in rows_of(self.engine, t.arm) if row.pair_id == pair_id]
        lost = [row for row in arms if f'"schema":{code(Missing.NOT_REPLAYABLE)}' in row.outcomes]
        return bool(refused) and pair_id not in waiting and bool(lost)

    def _output(self, pair_id: str, arm: Arm) -> Output | None:
        for row in rows_of(self.engine, t.pair_text):
            if (row.pair_id, row.part) == (pair_id, str(arm)):
                return msgspec.json.decode(row.body, type=Output)
        return None


class TestShadowQueue(ReplayQueueContract):
    @pytest.fixture
    def world(self, tmp_path: Path) -> TableWorld:
        return TableWorld(tmp_path)


class Shop:
    """A store with sampled requests, whose arms the test fills."""

    def __init__(self, folder: Path, *records: Json) -> None:
        self.engine = store(folder)
        self.judge = Watch("shop", PLAN).judge
        self.queue = ShadowQueue(self.engine, lambda: 10**12, 10**9, lambda _: self.judge.signals, as_task)
        take(self.engine, PLAN, ListSource(lines(*records)))

    def fill(self, arm: Arm, refused: bool) -> None:
        """The same answer of an arm to everything that waits."""
        outcomes = dict.fromkeys(self.judge.signals, code(Missing.NO_SCHEMA)) | {"refusal": int(refused)}
        waiting = [row.pair_id for row in rows_of(self.engine, t.queue)]
        self.queue.finish([ArmResult(name, arm, outcomes, Output("answer"), None, None, 0.1) for name in waiting])

    def seal(self) -> None:
        seal_all(self.engine, PLAN)

    def pairs(self, signal: str = "refusal") -> dict[str, int]:
        return dict(counted(self.engine, signal, population=Population.PAIR))


@pytest.fixture
def asked() -> Json:
    return request("r", START)


def test_a_pair_holds_the_joint_outcome_of_its_arms(tmp_path: Path, asked: Json) -> None:
    shop = Shop(tmp_path, asked)
    shop.fill(Arm.DEPLOYED, refused=True)
    shop.fill(Arm.REFERENCE, refused=False)
    shop.seal()
    assert shop.pairs() == {"nyn?": 1, "second:not_observed": 1}


def test_the_first_result_of_an_arm_is_the_one_that_counts(tmp_path: Path, asked: Json) -> None:
    shop = Shop(tmp_path, asked)
    shop.fill(Arm.DEPLOYED, refused=True)
    shop.fill(Arm.DEPLOYED, refused=False)
    shop.seal()
    assert shop.pairs()["ny??"] == 1


def test_arms_that_never_answer_are_timed_out(tmp_path: Path, asked: Json) -> None:
    shop = Shop(tmp_path, asked)
    shop.seal()
    found = {"n???": 1, "deployed:timed_out": 1, "reference:timed_out": 1, "second:not_observed": 1}
    assert shop.pairs() == found


def test_arms_that_land_after_sealing_change_no_fact(tmp_path: Path, asked: Json) -> None:
    shop = Shop(tmp_path, asked)
    shop.seal()
    before = sealed_facts(shop.engine)
    shop.fill(Arm.DEPLOYED, refused=True)
    shop.fill(Arm.REFERENCE, refused=True)
    shop.seal()
    assert sealed_facts(shop.engine) == before
    assert rows_of(shop.engine, t.queue) == []


def test_a_task_whose_pair_was_sealed_is_given_up_and_what_it_had_is_kept(tmp_path: Path, asked: Json) -> None:
    shop = Shop(tmp_path, asked, request("other", START + 3_600))
    shop.fill(Arm.DEPLOYED, refused=True)
    shop.seal()
    assert shop.queue.lease(8, "w", 60) == []
    assert shop.queue.depth() == 0
    arms = {(row.arm, '"refusal":1' in row.outcomes) for row in rows_of(shop.engine, t.arm)}
    assert arms == {("logged", False), ("deployed", True), ("reference", False)}
    late = f'"refusal":{code(Missing.TIMED_OUT)}'
    assert sum(late in row.outcomes for row in rows_of(shop.engine, t.arm)) == 2


def test_copies_of_one_prompt_count_once(tmp_path: Path) -> None:
    same = {"messages": [{"role": "user", "content": "the same prompt"}]}
    others = [request(f"r{n}", START + n, **same) for n in range(5)]
    shop = Shop(tmp_path, *others, request("another", START), request("elsewhere", START, variant="shop-int8", **same))
    shop.seal()
    assert sum(n for cell, n in shop.pairs().items() if len(cell) == 4) == 3
    assert len(rows_of(shop.engine, t.pair)) == 7


def counting_copies(found: int, prompts: int) -> None:
    assert found == prompts


def test_counting_every_copy_is_caught(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.store.sealing.distinct", list)
    same = {"messages": [{"role": "user", "content": "the same prompt"}]}
    shop = Shop(tmp_path, *(request(f"r{n}", START + n, **same) for n in range(5)))
    shop.seal()
    with pytest.raises(AssertionError):
        counting_copies(shop.pairs()["n???"], 1)


def test_what_cannot_be_replayed_is_missing_by_its_reason(tmp_path: Path) -> None:
    shop = Shop(tmp_path, request("r", START, messages=None))
    shop.seal()
    found = shop.pairs()
    assert found["deployed:not_replayable"] == found["reference:not_replayable"] == 1
    assert rows_of(shop.engine, t.queue) == []


def test_an_output_that_was_not_logged_is_missing_by_its_reason(tmp_path: Path) -> None:
    shop = Shop(tmp_path, request("r", START, output=None))
    shop.seal()
    assert shop.pairs()["logged:no_content"] == 1


def test_what_failed_too_often_is_missing_by_its_reason(tmp_path: Path, asked: Json) -> None:
    shop = Shop(tmp_path, asked)
    for _ in range(MAX_ATTEMPTS):
        (task,) = shop.queue.lease(1, "w", 0)
        shop.queue.release([task.pair_id], "backend failed: ValueError")
    shop.seal()
    assert shop.pairs()["reference:not_replayable"] == 1


def test_a_variant_without_a_build_to_replay_on_is_not_observed(tmp_path: Path) -> None:
    shop = Shop(tmp_path, request("r", START, variant="shop-int8"))
    (row,) = rows_of(shop.engine, t.queue)
    assert row.arms == "reference"
    shop.seal()
    assert shop.pairs()["deployed:not_observed"] == 1


def test_the_reference_itself_is_never_sampled(tmp_path: Path) -> None:
    shop = Shop(tmp_path, request("r", START, variant="shop-fp16"))
    assert rows_of(shop.engine, t.pair) == []


def test_imported_references_need_no_replay_and_count_at_the_full_level(tmp_path: Path) -> None:
    shop = Shop(tmp_path, request("r", START, variant="shop-int8", reference={"text": "I'm sorry, I can't help."}))
    assert rows_of(shop.engine, t.queue) == []
    shop.seal()
    (pair,) = rows_of(shop.engine, t.pair)
    assert pair.level == 1_000_000
    assert shop.pairs()["n?y?"] == 1


def test_two_workers_never_hold_one_task_at_a_time(tmp_path: Path) -> None:
    shop = Shop(tmp_path, *(request(f"r{n}", START + n) for n in range(9)))
    held = [task.pair_id for worker in ("a", "b", "c") for task in shop.queue.lease(4, worker, 60)]
    assert sorted(held) == sorted({row.pair_id for row in rows_of(shop.engine, t.pair)})
    assert shop.queue.depth() == 9


def test_a_row_without_arms_left_cannot_be(tmp_path: Path, asked: Json) -> None:
    shop = Shop(tmp_path, asked)
    shop.fill(Arm.DEPLOYED, refused=False)
    (task,) = shop.queue.lease(1, "w", 60)
    assert task.arms == (Arm.REFERENCE,)
    shop.fill(Arm.REFERENCE, refused=False)
    assert shop.queue.depth() == 0
