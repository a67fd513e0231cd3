"""Now: what must I do?"""

from __future__ import annotations

import streamlit as st

from dashboard import charts, frames, parts, plain, sentences, words
from dashboard.client import Api, Row

ALERT_PAGE = "app_pages/alert.py"


@st.fragment(run_every=parts.REFRESH)
def page() -> None:
    """The whole page, drawn again every few seconds."""
    with parts.honest():
        api = parts.api()
        deployments = api.deployments()
        if not deployments:
            parts.empty(f"No deployment is known yet. {sentences.EMPTY}")
            return
        deployment = parts.top(deployments)
        if deployment is not None:
            show(api, deployment)


def show(api: Api, deployment: Row) -> None:
    """One deployment from the sentence down to the numbers."""
    name = str(deployment["name"])
    alerts = [alert for alert in api.alerts(name) if alert.get("state") != "resolved"]
    serving = [row for row in parts.compared(deployment) if row.get("serving")]
    verdicts = [api.verdict(name, str(row["name"])) for row in serving]
    parts.headline(sentences.headline(deployment, verdicts, alerts))
    builds(deployment)
    open_alerts(alerts, parts.now_of(deployment))
    for verdict in verdicts:
        over_time(api, deployment, verdict)
    foot(api, deployment, verdicts)


def builds(deployment: Row) -> None:
    """A card per build."""
    variants = sorted(deployment["variants"], key=lambda row: (not row.get("serving"), bool(row.get("is_reference"))))
    if not variants:
        return
    st.subheader("Builds", anchor=False)
    for start in range(0, len(variants), 3):
        for column, variant in zip(st.columns(3), variants[start : start + 3], strict=False):
            with column, st.container(border=True, height="stretch"):
                card(variant, parts.now_of(deployment))


def card(variant: Row, now: float) -> None:
    """One build: verdict, how it is made, why it is judged so."""
    with st.container(horizontal=True):
        if variant.get("is_reference"):
            st.badge("REFERENCE", icon=":material/flag:", color="blue")
        else:
            parts.badge(variant.get("decision"))
        if variant.get("serving"):
            st.badge("serving", icon=":material/bolt:", color="gray")
    st.markdown(f"**{plain.markdown(plain.name(str(variant['name'])))}**")
    cost = f", cost {variant['cost']:g}" if variant.get("cost") is not None else ""
    st.caption(plain.markdown(f"{words.build_format(variant.get('format'))}{cost}"))
    st.text(plain.line(str(variant.get("reason") or "")) or " ")
    st.caption(plain.markdown(f"Last seen {words.ago(variant.get('last_seen'), now)}"))


def open_alerts(alerts: list[Row], now: float) -> None:
    """Alerts that somebody should look at, each a link to its page."""
    st.subheader("Open alerts", anchor=False)
    if not alerts:
        st.caption("No alert is open.")
    for alert in alerts:
        with st.container(horizontal=True, vertical_alignment="center"):
            color = "orange" if alert["kind"] == "ticket" else "red"
            st.badge(plain.markdown(str(alert["kind"]).upper()), icon=":material/notifications:", color=color)  # type: ignore[arg-type]
            state = "silenced" if alert.get("silenced") else str(alert["state"])
            line = plain.markdown(sentences.alert_line(alert, now))
            query = {"alert": str(alert["id"])}
            st.page_link(
                ALERT_PAGE,
                label=f"{line} ({plain.markdown(state)})",
                query_params=query,
                icon=":material/arrow_forward:",
                icon_position="right",
            )


def over_time(api: Api, deployment: Row, verdict: Row) -> None:
    """The harm of the worst check of a serving build since its deploy."""
    name, variant = str(deployment["name"]), str(verdict["variant"])
    checks = frames.ranked(verdict.get("checks") or [])
    if not checks:
        return
    worst = checks[0]
    st.subheader(f"Worst check of {plain.markdown(plain.name(variant))}", anchor=False)
    st.text(
        f"{plain.line(words.signal(worst))} on slice {plain.line(str(worst['slice']))}: {words.harm(worst['harm'])}"
    )
    where = {"deployment": name, "variant": variant, "slice": worst["slice"], "signal": worst["signal"]}
    looks = frames.looks(api.looks(direction=worst["direction"], **where))
    if looks.empty:
        parts.empty("No look has an estimate yet: pairs are still being replayed.")
        return
    markers = frames.deploys(deployment.get("deploys") or [], looks["time"].min().timestamp() - 900)
    figure = charts.harm_over_time(looks, worst["tolerance"], markers)
    parts.chart(figure, f"Harm over time with its bounds; now {words.harm(worst['harm'])}")
    st.caption(
        "Line: what users got against what the reference would have given, on the same requests. "
        "Band: bounds that hold at every look at once."
    )


def foot(api: Api, deployment: Row, verdicts: list[Row]) -> None:
    """Freshness and coverage: how much to trust what stands above."""
    st.subheader("What this rests on", anchor=False)
    for verdict in verdicts:
        st.caption(
            plain.markdown(f"{verdict['variant']}, as of {words.clock(verdict['as_of'], parts.now_of(deployment))}")
        )
        parts.coverage(verdict.get("coverage") or {})
        uncovered = ", ".join(map(str, verdict.get("uncovered") or ()))
        if uncovered:
            st.caption(plain.markdown(f"Too thin to judge, not part of the verdict: {uncovered}"))
        for line in verdict.get("unwatched") or ():
            st.caption(plain.markdown(f"Not watched against the past, {line}"))
    st.caption(plain.markdown(sentences.quarantined(api.quarantine())))


page()
