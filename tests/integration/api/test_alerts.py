"""Alerts through the store and the API: once, grouped, silenced, edited by people."""

from __future__ import annotations

from dataclasses import replace

import msgspec

from services.store import tables
from tests.integration.api.conftest import BUCKET, MARKER, MINUTE, NOW, Client, Store, make_finding, make_verdict

VERDICT = make_verdict()
KEYS = {
    "id", "state", "kind", "deployment", "variant", "slice", "signal", "direction", "opened_at", "acknowledged_at",
    "resolved_at", "silenced", "against", "sentence", "since", "harm", "units", "log_evidence", "threshold", "blame",
    "recommendation",
}  # fmt: skip


def test_an_alert_with_all_its_keys(store: Store, client: Client) -> None:
    assert store.apply(VERDICT) == ["opened", "notified"]
    (alert,) = client.get("/v1/alerts")["alerts"]
    assert set(alert) == KEYS
    assert alert["state"] == "open"
    assert alert["opened_at"] == NOW
    assert alert["harm"] == {"estimate": 0.12, "lower": 0.08, "upper": 0.17}
    assert alert["recommendation"]["to"] == "org/int8"
    assert client.get(f"/v1/alerts/{alert['id']}") == alert


def test_the_same_verdict_again_makes_no_second_outbox_row(store: Store) -> None:
    store.apply(VERDICT)
    assert store.apply(VERDICT, NOW + 60) == []
    assert [(row.transition, row.destination, row.state) for row in store.rows(tables.outbox)] == [
        ("opened", "webhook:a", "pending")
    ]


def test_two_findings_of_a_variant_are_one_page_and_two_alerts(store: Store, client: Client) -> None:
    store.apply(make_verdict(findings=(make_finding(), make_finding(slice="all"))))
    assert len(store.rows(tables.outbox)) == 1
    assert len(client.get("/v1/alerts", deployment="chat", state="open")["alerts"]) == 2


def test_a_person_acknowledges_and_resolves(store: Store, client: Client) -> None:
    store.apply(VERDICT)
    path = f"/v1/alerts/{client.get('/v1/alerts')['alerts'][0]['id']}"
    assert client.post(f"{path}/acknowledge", json={"by": "anna"})["state"] == "acknowledged"
    assert client.post(f"{path}/acknowledge", 409, json={"by": "ben"})["error"]["code"] == "conflict"
    resolved = client.post(f"{path}/resolve", json={"by": "anna", "reason": "rolled back"})
    assert (resolved["state"], resolved["resolved_at"]) == ("resolved", NOW)
    assert client.post(f"{path}/resolve", 409, json={"by": "ben", "reason": "x"})
    assert [row.transition for row in store.rows(tables.outbox)] == ["opened", "acknowledged", "resolved"]
    assert store.apply(VERDICT, NOW + 60) == []
    for state, number in (("open", 0), ("acknowledged", 0), ("resolved", 1)):
        assert len(client.get("/v1/alerts", state=state)["alerts"]) == number


def test_commands_are_strict(store: Store, client: Client) -> None:
    store.apply(VERDICT)
    path = f"/v1/alerts/{client.get('/v1/alerts')['alerts'][0]['id']}/acknowledge"
    for body in (b"{", b"[]", b'{"by": ""}', b'{"by": 3}', b"\xff", b'{"by": "a\\u0000"}', b'{"by": "quantwatch"}'):
        answer = client.post(path, 422, content=body)
        assert answer["error"]["code"] == "invalid"
        assert "\n" not in answer["error"]["message"]
    unknown = client.post(path, 422, json={"by": "anna", "reason": MARKER})
    assert "reason" in unknown["error"]["message"]
    assert MARKER not in str(unknown)
    client.post(path, 413, content=b" " * 100_000)
    client.post("/v1/alerts/none/acknowledge", 404, json={"by": "anna"})
    assert client.ask("GET", "/v1/alerts/none").status_code == 404
    assert client.ask("GET", "/v1/alerts", params={"state": "bad"}).status_code == 422


def test_a_silenced_alert_is_sent_when_the_silence_ends(store: Store, client: Client) -> None:
    wanted = {"deployment": "chat", "slice": "json", "until": NOW + 600, "by": "anna", "comment": "deploying"}
    silence = client.post("/v1/silences", 201, json=wanted)
    assert client.get("/v1/silences")["silences"] == [silence]
    assert silence["active"] is True
    assert store.apply(VERDICT) == ["opened", "silenced"]
    assert client.get("/v1/alerts")["alerts"][0]["silenced"] is True
    assert store.rows(tables.outbox) == []
    assert store.apply(VERDICT, NOW + 599) == []
    assert store.apply(VERDICT, NOW + 600) == ["notified"]
    assert len(store.rows(tables.outbox)) == 1


def test_a_silence_must_end_in_the_future_and_say_why(client: Client) -> None:
    wanted = {"deployment": "chat", "until": NOW - 1, "by": "anna", "comment": "x"}
    assert client.post("/v1/silences", 422, json=wanted)["error"]["message"].endswith("$.until`")
    assert client.post("/v1/silences", 422, json={"deployment": "chat", "until": NOW + 1, "by": "anna"})


def test_a_fail_resolves_once_others_serve_without_the_variant(store: Store) -> None:
    store.traffic("int4", BUCKET - 60)
    store.traffic("org/int8", BUCKET - 31)
    assert store.apply(VERDICT, width_ms=MINUTE) == ["opened", "notified"]
    store.traffic("org/int8", BUCKET - 30)
    assert store.apply(VERDICT, NOW + 60, width_ms=MINUTE) == ["resolved", "concluded"]
    assert store.apply(VERDICT, NOW + 120, width_ms=MINUTE) == []
    store.traffic("int4", BUCKET - 29)
    assert store.apply(VERDICT, NOW + 180, width_ms=MINUTE) == ["opened", "notified"]
    assert [row.transition for row in store.rows(tables.outbox)] == ["opened", "resolved", "opened"]


def test_a_ticket_resolves_without_its_finding(store: Store) -> None:
    store.apply(make_verdict(findings=(make_finding(kind="ticket"),)))
    assert store.apply(make_verdict(findings=()), NOW + 60) == ["resolved", "concluded"]


def test_nothing_is_written_if_the_transaction_is_given_up(store: Store) -> None:
    from services.store import alerts

    with store.engine.connect().execution_options(writes=True) as connection:
        alerts.apply(connection, VERDICT, int(NOW * 1000), ["webhook:a"])
        connection.rollback()
    assert [store.rows(t) for t in (tables.alert, tables.transition, tables.outbox)] == [[], [], []]


def test_the_outbox_holds_the_alert_as_the_api_shows_it(store: Store, client: Client) -> None:
    store.apply(replace(VERDICT))
    (row,) = store.rows(tables.outbox)
    body = msgspec.json.decode(row.body)
    assert body["type"] == "alert.opened"
    assert body["data"] == client.get("/v1/alerts")["alerts"][0]
