"""Colours and Streamlit options: one look for widgets and charts, told apart without seeing colour."""

from __future__ import annotations

INK = "#1b2430"
MUTED = "#5b6675"
GRID = "#e3e8ee"
PASS = "#00755a"
HOLD = "#9a5b00"
FAIL = "#b3261e"
ESTIMATE = "#0b5cad"
NOISE = "#c9d1db"
DECISIONS = {"pass": PASS, "hold": HOLD, "fail": FAIL}

SERIES = ("#0b5cad", "#e08a00", "#00755a", "#8f4b94", "#3fa3d6", "#7a6a00")
"""Colours of builds in one chart, in the order of their names; blue and orange come first."""

DASHES: tuple[list[int], ...] = ([1, 0], [6, 3], [2, 2], [8, 3, 2, 3])
"""Dashes of builds in one chart, in the same order."""

OPTIONS = {
    "client.toolbarMode": "minimal",
    "client.showErrorDetails": "none",
    "browser.gatherUsageStats": "false",
    "server.headless": "true",
    "server.fileWatcherType": "none",
    "theme.base": "light",
    "theme.primaryColor": ESTIMATE,
    "theme.backgroundColor": "#ffffff",
    "theme.secondaryBackgroundColor": "#f4f6f9",
    "theme.textColor": INK,
    "theme.borderColor": "#d5dce4",
    "theme.dataframeBorderColor": "#e3e8ee",
    "theme.greenColor": PASS,
    "theme.orangeColor": HOLD,
    "theme.redColor": FAIL,
    "theme.blueColor": ESTIMATE,
    "theme.showWidgetBorder": "true",
    "theme.baseRadius": "6px",
    "theme.baseFontSize": "15",
    "theme.codeFontSize": "13px",
    "theme.headingFontSizes": "1.25rem",
}
"""Every option that is passed to Streamlit besides address and port."""
