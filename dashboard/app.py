"""The dashboard's entry: navigation and frame. Everything shown comes from the HTTP API."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

HERE = Path(__file__).parent
DATA = HERE / "data"

st.set_page_config(page_title="quantwatch", page_icon=str(DATA / "icon.svg"), layout="wide")
st.logo(str(DATA / "logo.svg"), size="large")

PAGES = [
    st.Page("app_pages/now.py", title="Now", icon=":material/pulse_alert:", default=True),
    st.Page("app_pages/alert.py", title="Alert", icon=":material/notifications_active:", url_path="alert"),
    st.Page("app_pages/slices.py", title="Slices", icon=":material/grid_on:", url_path="slices"),
    st.Page("app_pages/pairs.py", title="Pairs", icon=":material/difference:", url_path="pairs"),
]

st.navigation(PAGES, position="top").run()
