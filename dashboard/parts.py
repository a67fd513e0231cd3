"""Pieces that several pages share: the API of a run, errors, choices, headlines, badges, texts."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import httpx
import streamlit as st

from dashboard import client, plain, sentences, words
from dashboard.errors import ApiError
from dashboard.settings import Connection, connection

REFRESH = "5s"
BOXES = {"pass": st.success, "hold": st.warning, "fail": st.error}
MATERIAL = {"pass": ":material/check_circle:", "hold": ":material/schedule:", "fail": ":material/error:"}


@st.cache_resource(show_spinner=False)
def _pool(base: str, token: str | None) -> httpx.Client:
    return client.open_http(Connection(base, token))


def api() -> client.Api:
    """The API as this run sees it."""
    where = connection(sys.argv[1:], os.environ)
    return client.Api(_pool(where.base, where.token))


@contextmanager
def honest() -> Iterator[None]:
    """Shows a clear box in place of whatever the API could not answer."""
    try:
        yield
    except ApiError as error:
        st.error(f"**No answer from quantwatch.** {plain.markdown(str(error))}", icon=":material/cloud_off:")
        st.caption("What was shown here before may be out of date. This page tries again every 5 seconds.")


def choose(label: str, options: Sequence[str], key: str) -> str | None:
    """A choice that is also a query parameter of the page's address."""
    if not options:
        st.selectbox(label, [], placeholder="none yet", disabled=True)
        return None
    return st.selectbox(label, options, key=key, bind="query-params", persist_state="session")


def top(deployments: Sequence[client.Row]) -> client.Row | None:
    """The choice of the deployment, with how fresh its data is beside it."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        with st.container(width=320):
            deployment = deployment_of(deployments)
        if deployment is not None and not deployment.get("stale"):
            freshness(deployment)
    if deployment is not None and deployment.get("stale"):
        freshness(deployment)
    return deployment


def table(frame: Any) -> None:
    """A table of checks: every row visible, the columns as wide as what they say."""
    widths = {"Status": 80, "Accepted": 90, "Pairs": 70, "Needs": 200, "Since": 100, "Users against reference": 260}
    columns = {name: st.column_config.Column(width=width) for name, width in widths.items()}
    st.dataframe(frame, hide_index=True, width="stretch", height="content", column_config=columns)


def deployment_of(rows: Sequence[client.Row]) -> client.Row | None:
    """The deployment that is looked at; with several, a choice."""
    names = [str(row["name"]) for row in rows]
    chosen = choose("Deployment", names, "deployment") if names else None
    return next((row for row in rows if row["name"] == chosen), None)


def compared(deployment: client.Row) -> list[client.Row]:
    """The builds that are measured against the reference, serving ones first."""
    others = [row for row in deployment["variants"] if not row.get("is_reference")]
    return sorted(others, key=lambda row: (not row.get("serving"), row["name"]))


def headline(head: sentences.Headline) -> None:
    """The one sentence at the top of a page."""
    reason = f"\n\n{plain.markdown(head.reason)}" if head.reason else ""
    BOXES[head.tone](f"#### {plain.markdown(head.sentence)}{reason}", icon=MATERIAL[head.tone])


def freshness(deployment: client.Row) -> None:
    """A loud box when the data is stale, otherwise one quiet line."""
    if deployment.get("stale"):
        st.error(f"**{plain.markdown(sentences.stale(deployment))}**", icon=":material/warning:")
    else:
        st.caption(plain.markdown(sentences.freshness(deployment)))


def badge(decision: str | None) -> None:
    """A decision as a coloured badge with sign and word."""
    colors = {"pass": "green", "hold": "orange", "fail": "red"}
    if decision in colors:
        st.badge(decision.upper(), icon=MATERIAL[decision], color=colors[decision])  # type: ignore[arg-type]
    else:
        st.badge("NOT JUDGED", color="gray")


def empty(text: str) -> None:
    """Says that there is nothing to show, and why."""
    st.info(plain.markdown(text), icon=":material/info:")


def hostile(text: str, height: int | None = None) -> None:
    """Text of a model or a user: monospace, never interpreted."""
    st.code(plain.visible(text) or "(empty)", language=None, wrap_lines=True, height=height or "content")


def named(rows: Sequence[client.Row], name: Any) -> client.Row | None:
    """The row of that name."""
    return next((row for row in rows if row.get("name") == name), None)


def now_of(deployment: client.Row) -> float:
    """The API's clock, which ages are measured against."""
    return float(deployment.get("now") or deployment.get("sealed_until") or 0.0)


def chart(figure: Any, told: str) -> None:
    """A chart with the words that stand in for it."""
    st.altair_chart(figure, width="stretch", alt=told)


def coverage(row: client.Row) -> None:
    """How much of the traffic the verdict rests on."""
    numbers = [
        ("Conversations counted", words.count(row.get("units"))),
        ("Replayed pairs", words.count(row.get("pairs"))),
        ("Share replayed", words.share(row.get("replayed_share"))),
        ("Pairs left out", words.share(row.get("excluded_share"))),
        ("Waiting for replay", words.count(row.get("queue"))),
    ]
    with st.container(horizontal=True):
        for label, value in numbers:
            st.metric(label, value, border=True, width="stretch")
