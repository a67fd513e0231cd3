"""Faults of the log, each named by the doctor."""

from __future__ import annotations

import gzip

from tests.support.shop import Shop, log


def test_an_unreadable_log(healthy: Shop) -> None:
    healthy.log_file.unlink()
    assert "log.jsonl: No such file or directory" in healthy.names("log")


def test_a_binary_log(healthy: Shop) -> None:
    healthy.log_file.write_bytes(bytes(range(256)) * 100)
    assert "is binary" in healthy.names("log")


def test_a_compressed_log(healthy: Shop) -> None:
    healthy.log_file.write_bytes(gzip.compress(healthy.log_file.read_bytes()))
    assert "is gzip" in healthy.names("log")


def test_a_log_of_embeddings(healthy: Shop) -> None:
    calls = [
        {"request": {"model": "e", "input": "x"}, "response": {"object": "list", "data": [{"object": "embedding"}]}}
    ]
    healthy.write(calls * 30)
    assert "embeddings" in healthy.names("log")


def test_a_plan_for_other_variants(healthy: Shop) -> None:
    healthy.write(log(variant="shop-awq"))
    assert "the log has shop-awq, the plan shop-fp16, shop-int4" in healthy.names("variants")


def test_a_plan_for_another_deployment(healthy: Shop) -> None:
    healthy.write(log(deployment="office"))
    assert "nothing of deployment shop is in the log" in healthy.names("variants")


def test_clocks_that_are_hours_apart(healthy: Shop) -> None:
    late = [event | {"received_at": event["time"] + 7200} for event in log()]
    healthy.write(late)
    assert "`received_at` lies 120 min after `time`" in healthy.names("clocks").replace("2 h", "120 min")


def test_a_log_from_the_future(healthy: Shop) -> None:
    healthy.write([event | {"time": event["time"] + 36_000} for event in log()])
    assert "in the future of this machine's clock" in healthy.names("clocks")


def test_a_log_that_cannot_be_asked_again(healthy: Shop) -> None:
    healthy.write([{k: v for k, v in event.items() if k != "messages"} for event in log()])
    assert "no messages" in healthy.names("replays")
