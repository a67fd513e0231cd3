"""Pairs: what did users get, and what would they have got?"""

from __future__ import annotations

import streamlit as st

from dashboard import parts, sentences
from dashboard.client import Api, Row
from dashboard.pairing import show_pair

EVERY = "all"
LIMIT = 20


@st.fragment(run_every=parts.REFRESH)
def page() -> None:
    """The whole page, drawn again every few seconds."""
    with parts.honest():
        api = parts.api()
        deployments = api.deployments()
        if not deployments:
            parts.empty(f"No deployment is known yet. {sentences.EMPTY}")
            return
        where = filters(deployments)
        if where is None:
            parts.empty("There is no build to compare with the reference yet.")
        else:
            show(api, where)


def filters(deployments: list[Row]) -> Row | None:
    """The choices at the top; None where there is no build to choose."""
    columns = st.columns(4)
    with columns[0]:
        deployment = parts.deployment_of(deployments)
    if deployment is None:
        return None
    with columns[1]:
        variant = parts.choose("Build", [str(row["name"]) for row in parts.compared(deployment)], "variant")
    with columns[2]:
        slices = [EVERY, *(str(row["name"]) for row in deployment.get("slices") or [] if row["name"] != EVERY)]
        part = parts.choose("Slice", slices, "slice")
    with columns[3]:
        signals = [str(row["name"]) for row in deployment.get("signals") or []]
        signal = parts.choose("Signal", signals, "pair_signal")
    differing = st.toggle("Only pairs whose outcome differs", value=True, key="differing", bind="query-params")
    parts.freshness(deployment)
    if variant is None:
        return None
    where = {"deployment": deployment["name"], "variant": variant, "slice": part, "signal": signal}
    return {**where, "differing": "true" if differing else "false"}


def show(api: Api, where: Row) -> None:
    """The pairs, newest first."""
    pairs = api.pairs(**where, limit=LIMIT)
    if not pairs:
        parts.empty("No such pair. Choose another slice or signal, or show pairs that do not differ too.")
        return
    st.caption(f"{len(pairs)} pairs, newest first." if len(pairs) < LIMIT else f"The newest {LIMIT} pairs.")
    for pair in sorted(pairs, key=lambda row: -row["time"]):
        show_pair(pair, str(where["signal"]))


page()
