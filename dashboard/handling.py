"""What a person does about an alert: take it, or silence its notifications for a while."""

from __future__ import annotations

import streamlit as st

from dashboard import plain, words
from dashboard.client import Api, Row

HOURS = (1, 4, 24)


def handle(api: Api, alert: Row, now: float) -> None:
    """When it opened and who has it, and the buttons."""
    st.caption(plain.markdown(" · ".join(story(alert, now))))
    if alert["state"] == "resolved":
        return
    taken = False
    with st.container(horizontal=True, vertical_alignment="bottom"):
        by = st.text_input("Your name", key="acting_as", max_chars=80, width=240).strip()
        if alert["state"] == "open":
            taken = st.button("Acknowledge", icon=":material/check:", type="primary")
        with st.popover("Silence …", icon=":material/notifications_off:"):
            silence(api, alert, by, now)
    if taken and by:
        api.acknowledge(str(alert["id"]), by)
        st.rerun()
    elif taken:
        st.warning("Enter your name first: others see who looks after this alert.", icon=":material/person:")


def story(alert: Row, now: float) -> list[str]:
    """What happened to the alert so far."""
    counted = "requests" if alert["kind"] == "ticket" else "pairs"
    facts = [f"Opened {words.ago(alert['opened_at'], now)}"]
    facts += [f"harm since {words.ago(alert['since'], now)}"] if alert.get("since") else []
    facts += [f"{words.count(alert['units'])} {counted}"] if alert.get("units") is not None else []
    facts += [f"acknowledged {words.ago(alert['acknowledged_at'], now)}"] if alert.get("acknowledged_at") else []
    facts += [f"resolved {words.ago(alert['resolved_at'], now)}"] if alert.get("resolved_at") else []
    facts += ["notifications silenced"] if alert.get("silenced") else []
    return facts


def silence(api: Api, alert: Row, by: str, now: float) -> None:
    """A silence of this alert's notifications; evidence and verdict go on."""
    hours = st.selectbox("For how long", HOURS, format_func=lambda each: f"{each} h", key="silence_hours")
    comment = st.text_input("Why", key="silence_comment", max_chars=200).strip()
    st.caption("Only notifications are silenced: evidence and verdict go on.")
    if not st.button("Silence", type="primary"):
        return
    if by and comment:
        where = {name: alert[name] for name in ("deployment", "variant", "slice", "signal")}
        api.silence(**where, until=now + hours * 3600, by=by, comment=comment)
        st.rerun()
    st.warning("A silence needs your name and a reason.", icon=":material/person:")
