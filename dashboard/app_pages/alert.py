"""Alert: is it real, what is to blame, what do I do?"""

from __future__ import annotations

from typing import Any

import streamlit as st

from dashboard import charts, frames, parts, plain, sentences, words
from dashboard.client import Api, Row
from dashboard.handling import handle
from dashboard.pairing import show_pair

BEFORE = 3600.0


@st.fragment(run_every=parts.REFRESH)
def page() -> None:
    """The whole page, drawn again every few seconds."""
    with parts.honest():
        api = parts.api()
        alerts = api.alerts()
        if not alerts:
            parts.empty("No alert has ever been raised. When something gets worse, it is explained here.")
            return
        alert = chosen(api, alerts)
        if alert is not None:
            deployment = parts.named(api.deployments(), alert["deployment"]) or {"name": alert["deployment"]}
            show(api, alert, deployment)


def chosen(api: Api, alerts: list[Row]) -> Row | None:
    """The alert named in the address, else the newest unresolved one; a choice that writes the address."""
    ids = [str(alert["id"]) for alert in alerts]
    asked = st.query_params.get("alert")
    if asked is not None and asked not in ids:
        parts.empty("The alert in the address is not known, or no longer kept. Choose another one.")
    unresolved = [str(alert["id"]) for alert in alerts if alert["state"] != "resolved"]
    first = asked if asked in ids else (unresolved or ids)[0]
    labels = {str(alert["id"]): label(alert) for alert in alerts}
    picked = st.selectbox("Alert", ids, index=ids.index(first), format_func=lambda each: labels[each])
    if picked != asked:
        st.query_params["alert"] = picked
    return next((alert for alert in alerts if alert["id"] == picked), None)


def label(alert: Row) -> str:
    """An alert in the list of choices."""
    what = f"{words.signal(alert)} on {alert['slice']}, {alert['variant']}"
    return f"{plain.name(what)} · {alert['state']} · {words.clock(alert['opened_at'])} · {alert['id']}"


def show(api: Api, alert: Row, deployment: Row) -> None:
    """Sentence, action, chart, blame, slices, examples."""
    now = parts.now_of(deployment) or float(alert["opened_at"])
    if deployment.get("stale"):
        parts.freshness(deployment)
    parts.headline(sentences.alert_headline(alert))
    handle(api, alert, now)
    over_time(api, alert, deployment)
    blame(alert)
    slices(api, alert, now)
    examples(api, alert)


def over_time(api: Api, alert: Row, deployment: Row) -> None:
    """From before the deploy: paired harm above, live rates of every build below, on the same time axis."""
    deploys = deployment.get("deploys") or []
    now = parts.now_of(deployment) or float(alert["opened_at"])
    start = min([row["time"] for row in deploys if row["variant"] == alert["variant"]], default=alert["opened_at"])
    first = min([row["first_seen"] for row in deployment.get("variants") or [] if row.get("first_seen")], default=start)
    begin = max(start - BEFORE, min(first, start) - (now - start) / 20)
    domain = [stamp.isoformat() for stamp in frames.moments([begin, now])]
    where = {
        "deployment": alert["deployment"],
        "slice": alert["slice"],
        "signal": alert["signal"],
        "since": begin,
    }
    markers = frames.deploys(deploys, begin)
    st.subheader("Since before the deploy", anchor=False)
    looks = frames.looks(api.looks(variant=alert["variant"], direction=alert["direction"], **where))
    if looks.empty:
        parts.empty("No paired looks for this alert: it rests on live rates alone.")
    else:
        figure = charts.harm_over_time(looks, tolerance(api, alert, deployment), markers, domain)
        parts.chart(figure, f"Paired harm over time; now {words.harm(alert.get('harm'))}")
    live(api, where, deployment, markers, domain)


def tolerance(api: Api, alert: Row, deployment: Row) -> float:
    """What is accepted for the alert's signal."""
    signal = parts.named(deployment.get("signals") or [], alert["signal"])
    return float((signal or {}).get("tolerance") or 0.0)


def live(api: Api, where: Row, deployment: Row, markers: Any, domain: list[str]) -> None:
    """The rate over all requests, a line per build."""
    lines = []
    for row in deployment.get("variants") or []:
        points = api.series(variant=row["name"], population="all", **where)["points"]
        lines.append(frames.rates(points, str(row["name"])))
    rates = frames.stacked(lines)
    if rates.empty:
        parts.empty("No sealed live rates in this time.")
        return
    st.caption("All requests, as they came: traffic that moves by itself shows here too.")
    parts.chart(charts.live_rates(rates, plain.name(str(where["signal"]), 40), markers, domain), "Live rate by build")


def blame(alert: Row) -> None:
    """What the harm is made of."""
    st.subheader("What is to blame", anchor=False)
    row = alert.get("blame")
    st.text(plain.line(sentences.cause(row)))
    if row and row.get("contributions"):
        floor = row.get("noise_floor")
        parts.chart(charts.blame_bars(frames.blame(row), floor), "Contributions to the harm by cause")
        known = f"{words.points(floor)} points" if floor is not None else "not measured"
        st.caption(f"Grey zone: what the reference differs from itself, {known}. Bounds hold for all causes at once.")


def slices(api: Api, alert: Row, now: float) -> None:
    """The same signal on every slice."""
    st.subheader(f"{plain.markdown(plain.name(words.signal(alert)))} on every slice", anchor=False)
    checks = api.verdict(alert["deployment"], alert["variant"]).get("checks") or []
    same = frames.ranked([row for row in checks if row["signal"] == alert["signal"]])
    if same:
        parts.table(frames.checks(same, now))
    else:
        parts.empty("No check of this signal is part of the verdict: it raises tickets only.")


def examples(api: Api, alert: Row) -> None:
    """Three real requests and what each build made of them."""
    st.subheader("Three requests", anchor=False)
    where = {name: alert[name] for name in ("deployment", "variant", "slice", "signal")}
    pairs = api.pairs(**where, differing="true", limit=3)
    if not pairs:
        parts.empty("No differing pair is kept for this slice and signal.")
        return
    for pair in pairs[:3]:
        show_pair(pair, str(alert["signal"]))


page()
