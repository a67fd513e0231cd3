"""Slices: which part of the traffic, which signal, by how much, and what is still undecided?"""

from __future__ import annotations

import streamlit as st

from dashboard import charts, frames, parts, plain, sentences, words
from dashboard.client import Row

ALL = "all signals"


@st.fragment(run_every=parts.REFRESH)
def page() -> None:
    """The whole page, drawn again every few seconds."""
    with parts.honest():
        api = parts.api()
        deployments = api.deployments()
        if not deployments:
            parts.empty(f"No deployment is known yet. {sentences.EMPTY}")
            return
        left, middle, right = st.columns(3)
        with left:
            deployment = parts.deployment_of(deployments)
        if deployment is None:
            return
        with middle:
            variant = parts.choose("Build", [str(row["name"]) for row in parts.compared(deployment)], "variant")
        with right:
            signal = parts.choose("Signal", [ALL, *_signals(deployment)], "signal")
        parts.freshness(deployment)
        if variant is None:
            parts.empty("There is no build to compare with the reference yet.")
            return
        show(api.verdict(str(deployment["name"]), variant), signal or ALL, parts.now_of(deployment))


def _signals(deployment: Row) -> list[str]:
    return [str(row["name"]) for row in deployment.get("signals") or [] if row.get("gates")]


def show(verdict: Row, signal: str, now: float) -> None:
    """Grid, intervals, table."""
    with st.container(horizontal=True, vertical_alignment="center"):
        parts.badge(verdict["decision"])
        st.text(plain.line(str(verdict.get("reason") or "")))
    checks = [row for row in verdict.get("checks") or [] if signal in (ALL, row["signal"])]
    if not checks:
        parts.empty("No check yet: nothing of this build has been replayed on a slice that gates.")
        return
    ranked = frames.ranked(checks)
    st.subheader("Every signal on every slice", anchor=False)
    st.caption("Points worse (+) or better (−) than the reference on the same requests.")
    parts.chart(charts.heat_grid(frames.grid(_by_name(checks))), "Grid of harm by signal and slice")
    st.subheader("Difference against what is accepted", anchor=False)
    st.caption("Dot: estimate. Bar: bounds that hold at every look. Black tick: accepted.")
    parts.chart(charts.interval_plot(frames.intervals(ranked)), "Harm with bounds by check")
    st.subheader("All checks", anchor=False)
    parts.table(frames.checks(ranked, now))
    thin = ", ".join(map(str, verdict.get("uncovered") or ()))
    if thin:
        st.caption(plain.markdown(f"Too thin to judge, not part of the verdict: {thin}"))
    undecided = [words.needs(row) for row in ranked if words.needs(row)]
    if undecided:
        st.caption(f"Undecided: {len(undecided)}. What each needs stands in the table.")


def _by_name(checks: list[Row]) -> list[Row]:
    return sorted(checks, key=lambda row: (row["slice"] != "all", str(row["slice"]), words.signal(row)))


page()
