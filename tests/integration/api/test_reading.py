"""Deployments, series, looks, pairs, quarantine, coverage: what was written is what is read."""

from __future__ import annotations

from collections.abc import Callable

from monitor.model import Decision
from monitor.plan import Plan
from monitor.watch import Group
from services.store import tables
from tests.integration.api.conftest import (
    BUCKET,
    MARKER,
    MINUTE,
    NOW,
    Client,
    Store,
    make_check,
    make_finding,
    make_verdict,
)


def seconds(bucket: int) -> float:
    return bucket * MINUTE / 1000


def test_deployments(store: Store, client: Client) -> None:
    store.traffic("org/int8", BUCKET - 200, BUCKET - 199)
    store.traffic("int4", BUCKET - 198, BUCKET - 100, BUCKET - 20)
    store.write(tables.seal, {"deployment": "chat", "grp": "live", "first_open": BUCKET - 11, "at": 0})
    store.look(make_verdict())
    chat, search = client.get("/v1/deployments")["deployments"]
    assert (chat["name"], chat["reference"], chat["bucket_seconds"], chat["now"]) == ("chat", "bf16", 60.0, NOW)
    assert (chat["sealed_until"], chat["stale"]) == (seconds(BUCKET - 11), False)
    int4, int8, bf16 = chat["variants"]
    assert int4 == {
        "name": "int4",
        "format": {"kind": "weight_only", "bits": 4, "group_size": 128, "per_channel": False},
        "cost": 0.4,
        "first_seen": seconds(BUCKET - 198),
        "last_seen": seconds(BUCKET - 19),
        "is_reference": False,
        "serving": True,
        "decision": "fail",
        "reason": "schema on json",
    }
    assert (int8["serving"], int8["decision"]) == (False, None)
    assert (bf16["is_reference"], bf16["first_seen"]) == (True, None)
    assert chat["slices"] == [
        {"name": "all", "gates": True},
        {"name": "json", "gates": True},
        {"name": "german", "gates": False},
    ]
    signals = {signal["name"]: signal for signal in chat["signals"]}
    assert signals["schema"] == {"name": "schema", "gates": True, "tolerance": 0.02, "family": "structure"}
    assert signals["correction"]["gates"] is False
    assert "traffic" not in signals
    assert chat["deploys"] == [
        {"variant": "org/int8", "time": seconds(BUCKET - 200)},
        {"variant": "int4", "time": seconds(BUCKET - 198)},
    ]
    assert (search["sealed_until"], search["stale"], search["deploys"]) == (None, False, [])


def test_a_return_after_others_served_is_a_deploy_and_a_quiet_night_is_none(store: Store, client: Client) -> None:
    store.traffic("int4", BUCKET - 900, BUCKET - 500)
    store.traffic("org/int8", BUCKET - 400)
    store.traffic("int4", BUCKET - 300)
    deploys = client.get("/v1/deployments")["deployments"][0]["deploys"]
    assert [(row["variant"], row["time"]) for row in deploys] == [
        ("int4", seconds(BUCKET - 900)),
        ("org/int8", seconds(BUCKET - 400)),
        ("int4", seconds(BUCKET - 300)),
    ]


def test_sealing_that_stopped_is_stale(store: Store, client: Client) -> None:
    store.write(tables.seal, {"deployment": "chat", "grp": "live", "first_open": BUCKET - 26, "at": 0})
    assert client.get("/v1/deployments")["deployments"][0]["stale"] is True


def test_under_an_open_plan_what_was_seen_is_listed(store: Store, make_client: Callable[..., Client]) -> None:
    client = make_client(Plan())
    assert client.get("/v1/deployments") == {"deployments": []}
    store.write(tables.seal, {"deployment": "chat", "grp": "live", "first_open": BUCKET, "at": 0})
    store.traffic("int4", BUCKET - 20)
    (chat,) = client.get("/v1/deployments")["deployments"]
    assert [variant["name"] for variant in chat["variants"]] == ["int4"]


def test_a_series_of_a_yes_no_signal(store: Store, client: Client) -> None:
    store.fact("schema", {"ok": 8, "bad": 2}, BUCKET - 20)
    store.fact("schema", {}, BUCKET - 19)
    store.fact("schema", {"ok": 1}, BUCKET - 19, slice="json")
    where = {"deployment": "chat", "variant": "int4", "signal": "schema"}
    series = client.get("/v1/series", **where)
    assert (series["bucket_seconds"], series["yes"], series["no"]) == (60.0, ["bad"], ["ok"])
    first, second = series["points"]
    assert (first["time"], first["n"], first["yes"], first["rate"]) == (seconds(BUCKET - 20), 10, 2, 0.2)
    assert first["counts"].keys() == set(series["cells"])
    assert (second["n"], second["rate"]) == (0, None)
    later = client.get("/v1/series", **where, since=seconds(BUCKET - 19), until=seconds(BUCKET))["points"]
    assert [point["time"] for point in later] == [seconds(BUCKET - 19)]
    assert client.get("/v1/series", **where, slice="json")["points"][0]["n"] == 1
    assert client.get("/v1/series", **where, slice="german")["points"] == []


def test_series_of_hindsight_scores_latency_and_pairs(store: Store, client: Client) -> None:
    store.fact("correction", {"served": 10, "corrected": 3}, group=Group.CORRECTION)
    store.fact("score", {"0/16": 1, "16/16": 3, "no_score": 9})
    store.fact("total", {"no_timing": 4})
    store.fact("schema", {"ynn?": 3, "nnn?": 6, "?nn?": 5}, population="pair", level=500_000)
    store.fact("schema", {"yyy?": 1}, population="pair", level=1_000_000)
    where = {"deployment": "chat", "variant": "int4"}

    def point(signal: str, population: str = "all") -> tuple[int, int, float | None]:
        (found,) = client.get("/v1/series", **where, signal=signal, population=population)["points"]
        return found["n"], found["yes"], found["rate"]

    assert point("correction") == (10, 3, 0.3)
    assert point("score") == (4, 0, 0.75)
    assert point("total") == (0, 0, None)
    assert point("schema", "pair") == (10, 4, 0.4)


def test_the_newest_definition_is_the_series(store: Store, client: Client) -> None:
    store.fact("schema", {"ok": 8}, BUCKET - 20)
    old = {"definition": "0123456789abcdef.0", "bucket": BUCKET - 30, "counts": b"", "population": "all", "level": 0}
    store.write(tables.fact, {"deployment": "chat", "variant": "int4", "slice": "all", "signal": "schema", **old})
    points = client.get("/v1/series", deployment="chat", variant="int4", signal="schema")["points"]
    assert [point["n"] for point in points] == [8]


def test_looks_are_the_ledger_of_one_check(store: Store, client: Client) -> None:
    store.look(make_verdict(as_of=NOW - 840, checks=(make_check(decision=Decision.HOLD, log_evidence=2.0),)))
    store.look(make_verdict(checks=(make_check(), make_check(signal="refusal"))))
    where = {"deployment": "chat", "variant": "int4", "slice": "json", "signal": "schema"}
    looks = client.get("/v1/looks", **where)["looks"]
    assert [(look["time"], look["decision"], look["log_evidence"]) for look in looks] == [
        (NOW - 840, "hold", 2.0),
        (NOW - 720, "fail", 9.0),
    ]
    assert (looks[0]["pairs"], looks[0]["estimate"], looks[0]["upper"], looks[0]["threshold"]) == (400, 0.12, 0.17, 7.0)
    assert len(client.get("/v1/looks", **where, since=NOW - 720)["looks"]) == 1


def test_looks_of_a_two_sided_signal_show_one_side(store: Store, client: Client) -> None:
    sides = (make_check(direction="more", log_evidence=1.0), make_check(direction="fewer", log_evidence=4.0))
    store.look(make_verdict(checks=sides))
    where = {"deployment": "chat", "variant": "int4", "slice": "json", "signal": "schema"}
    assert [look["direction"] for look in client.get("/v1/looks", **where)["looks"]] == ["fewer"]
    assert [look["direction"] for look in client.get("/v1/looks", **where, direction="more")["looks"]] == ["more"]


def test_pairs_side_by_side(store: Store, client: Client) -> None:
    store.pair("one", {"logged": 1, "deployed": 1, "reference": 0})
    where = {"deployment": "chat", "variant": "int4", "slice": "json", "signal": "schema"}
    (pair,) = client.get("/v1/pairs", **where, differing=True)["pairs"]
    assert pair == {
        "id": "one",
        "time": seconds(BUCKET - 20),
        "slices": ["all", "json"],
        "prompt": [{"role": "user", "content": f"say {MARKER}"}],
        "logged": {"text": "logged text", "tool_calls": [], "outcomes": {"schema": "bad"}},
        "deployed": {"text": "deployed text", "tool_calls": [], "outcomes": {"schema": "bad"}},
        "reference": {"text": "reference text", "tool_calls": [], "outcomes": {"schema": "ok"}},
        "second": None,
        "fidelity": {"mean_kl": 0.1, "same_top": 0.9, "first_divergence": 3},
        "text_kept": True,
    }


def test_pairs_are_chosen_newest_first(store: Store, client: Client) -> None:
    store.pair("same", {"logged": 0, "deployed": 0, "reference": 0}, BUCKET - 20)
    store.pair("unknown", {"logged": 1, "reference": -1}, BUCKET - 19)
    for number in range(3):
        store.pair(f"differs-{number}", {"logged": 1, "reference": 0}, BUCKET - 18 + number)
    ask = {"deployment": "chat", "variant": "int4", "signal": "schema"}
    names = [pair["id"] for pair in client.get("/v1/pairs", **ask, differing=True, limit=2)["pairs"]]
    assert names == ["differs-2", "differs-1"]
    assert len(client.get("/v1/pairs", **ask)["pairs"]) == 5
    assert client.get("/v1/pairs", **ask, slice="german")["pairs"] == []


def test_texts_whose_time_is_over_are_not_shown(store: Store, make_client: Callable[..., Client]) -> None:
    store.pair("one", {"logged": 1, "reference": 0})
    (pair,) = make_client(clock=NOW + 1).get("/v1/pairs", deployment="chat")["pairs"]
    assert (pair["text_kept"], pair["prompt"], pair["logged"]["text"]) == (False, None, None)
    assert pair["logged"]["outcomes"] == {"schema": "bad"}


def test_quarantine_counts_and_never_shows_a_body(store: Store, client: Client) -> None:
    common = {"source": "http", "detail": MARKER, "body": MARKER.encode(), "at": 2_000, "expires": 9}
    rows = [{"position": n, "reason": "late" if n else "not_json", **common} for n in range(3)]
    store.write(tables.quarantine, *rows)
    answer = client.get("/v1/quarantine", limit=1)
    assert (answer["total"], answer["by_reason"]) == (3, {"late": 2, "not_json": 1})
    assert answer["rows"] == [{"source": "http", "position": 2, "reason": "late", "time": 2.0}]
    assert MARKER not in str(answer)


def test_coverage(store: Store, client: Client) -> None:
    store.pair("one", {"logged": 1})
    answer = client.get("/v1/coverage", deployment="chat", variant="int4")
    assert answer == {"pairs": 1, "sealed_pairs": 1, "queued": 0, "open_joins": 0, "missing": {}}


def test_unknown_names_and_numbers_are_json_errors(client: Client) -> None:
    for path, status in (
        ("/", 404),
        ("/docs", 404),
        ("/openapi.json", 404),
        ("/v1/alerts/", 404),
        ("/v1/deployments/", 404),
        ("/v1/series?deployment=nowhere&variant=a&signal=b", 404),
        ("/v1/series?deployment=chat", 422),
        ("/v1/series?deployment=chat&variant=a&signal=b&since=inf", 422),
        ("/v1/pairs?deployment=chat&limit=0", 422),
    ):
        answer = client.ask("GET", path)
        assert answer.status_code == status, path
        assert answer.json()["error"]["message"], path
        assert "\n" not in answer.json()["error"]["message"]


def test_planted_text_is_only_where_texts_are(store: Store, client: Client) -> None:
    store.pair("one", {"logged": 1, "reference": 0})
    client.post("/v1/events", 202, json={"id": "1", "messages": [{"role": "user", "content": MARKER}]})
    store.look(make_verdict())
    store.apply(make_verdict(findings=(make_finding(), make_finding(kind="ticket"))))
    paths = ("/v1/deployments", "/v1/alerts", "/v1/silences", "/v1/quarantine", "/v1/verdict/int4", "/v1/health/ready")
    assert all(MARKER not in client.ask("GET", path).text for path in paths)
    for table in (tables.alert, tables.transition, tables.outbox, tables.look):
        assert store.rows(table)
        assert MARKER not in str(store.rows(table))
    assert MARKER in client.ask("GET", "/v1/pairs", params={"deployment": "chat"}).text
