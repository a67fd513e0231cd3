"""The charts, as functions from frames to Altair; the same frame gives the same chart.

Field names are fixed here and values are only ever data, so no text from outside becomes an expression.
"""

from __future__ import annotations

from typing import Any

import altair as alt
import pandas as pd

from dashboard import theme

Chart = Any
"""An Altair chart; its types come and go with its versions."""

WORSE = "points worse than the reference"
DECISIONS = {"✖ fail": theme.FAIL, "◷ hold": theme.HOLD, "✔ pass": theme.PASS, "· not judged": theme.MUTED}
STATUS = alt.Scale(domain=list(DECISIONS), range=list(DECISIONS.values()))
SHAPES = alt.Scale(domain=list(DECISIONS), range=["cross", "circle", "triangle-up", "square"])


def harm_over_time(looks: pd.DataFrame, tolerance: float, deploys: pd.DataFrame, domain: Any = None) -> Chart:
    """Estimated harm with its band, what is accepted as a dashed line, deploys as marked moments."""
    base = alt.Chart(looks)
    x = _time(domain)
    y = alt.Y("estimate:Q", title=WORSE, axis=alt.Axis(minExtent=36))
    band = base.mark_area(opacity=0.18, color=theme.ESTIMATE).encode(x=x, y=alt.Y("lower:Q", title=WORSE), y2="upper:Q")
    line = base.mark_line(color=theme.ESTIMATE, strokeWidth=2.2).encode(x=x, y=y)
    dots = base.mark_circle(color=theme.ESTIMATE, size=60, opacity=0.01).encode(x=x, y=y, tooltip=_told("pairs:Q"))
    layers = [band, _level(0.0, theme.MUTED, [1, 0], 0.7), line, dots, *_accepted(tolerance * 100), *_deploys(deploys)]
    return _finish(alt.layer(*layers), 280)


def live_rates(rates: pd.DataFrame, signal: str, deploys: pd.DataFrame, domain: Any = None) -> Chart:
    """The rate over all requests, a line per build, told apart by colour and by dash."""
    builds = sorted(set(rates["build"]))
    colors = [theme.SERIES[place % len(theme.SERIES)] for place in range(len(builds))]
    dashes = [theme.DASHES[place % len(theme.DASHES)] for place in range(len(builds))]
    title = "mean score, %" if signal == "score" else f"% of requests: {signal}"
    y = alt.Y("rate:Q", title=title, axis=alt.Axis(minExtent=36), scale=alt.Scale(zero=True))
    legend = alt.Legend(title=None, orient="bottom", labelLimit=240, symbolType="stroke", symbolSize=500)
    lines = alt.Chart(rates).mark_line(strokeWidth=2)
    lines = lines.encode(
        x=_time(domain),
        y=y,
        color=alt.Color("build:N", scale=alt.Scale(domain=builds, range=colors), legend=legend),
        strokeDash=alt.StrokeDash("build:N", scale=alt.Scale(domain=builds, range=dashes), legend=legend),
        tooltip=[
            alt.Tooltip("build:N", title="build"),
            alt.Tooltip("utchoursminutes(time):T", title="time (UTC)"),
            alt.Tooltip("rate:Q", title="rate in %", format=".1f"),
            alt.Tooltip("requests:Q", title="requests", format=","),
        ],
    )
    return _finish(alt.layer(lines, *_deploys(deploys)), 300)


def interval_plot(frame: pd.DataFrame) -> Chart:
    """One line per check: its interval, its estimate and what is accepted."""
    y = alt.Y("check:N", title=None, sort=list(frame["check"]), axis=_names(260))
    base = alt.Chart(frame)
    present = sorted(set(frame["status"]), key=list(DECISIONS).index)
    legend = alt.Legend(title=None, orient="top", values=present, symbolOpacity=1)
    color = alt.Color("status:N", scale=STATUS, legend=legend)
    shape = alt.Shape("status:N", scale=SHAPES, legend=legend)
    rule = base.mark_rule(strokeWidth=5, opacity=0.45, strokeCap="round")
    rule = rule.encode(y=y, x=alt.X("lower:Q", title=WORSE, axis=alt.Axis(tickCount=8)), x2="upper:Q", color=color)
    dot = base.mark_point(filled=True, size=90, opacity=1)
    dot = dot.encode(y=y, x="estimate:Q", color=color, shape=shape, tooltip=_told("pairs:Q", "check:N", timed=False))
    accepted = base.mark_tick(color=theme.INK, thickness=2, size=16).encode(y=y, x="tolerance:Q")
    unknown = alt.Chart(frame[frame["estimate"].isna()]).mark_text(align="left", dx=10, color=theme.MUTED)
    unknown = unknown.encode(y=y, x="tolerance:Q", text="said:N")
    layers = [_level(0.0, theme.MUTED, [1, 0], 0.7, "x"), rule, accepted, dot, unknown]
    return _finish(alt.layer(*layers), max(120, 30 * len(frame) + 90))


def heat_grid(frame: pd.DataFrame) -> Chart:
    """Signal by slice, coloured by harm in multiples of what is accepted; sign and number stand in every cell."""
    x = alt.X(
        "slice:N",
        title=None,
        sort=None,
        axis=_names(150, orient="top", labelAngle=0),
    )
    y = alt.Y("signal:N", title=None, sort=None, axis=_names(170))
    scale = alt.Scale(domain=[-2, 0, 2], range=["#2f6fb0", "#f7f7f7", "#c8611a"], clamp=True)
    legend = alt.Legend(
        title="harm as a multiple of what is accepted", orient="bottom", gradientLength=220, titleLimit=400
    )
    tiles = alt.Chart(frame).mark_rect(stroke="white", strokeWidth=3, cornerRadius=4)
    tiles = tiles.encode(
        x=x,
        y=y,
        color=alt.Color("times:Q", scale=scale, legend=legend),
        tooltip=_told("pairs:Q", "check:N", timed=False),
    )
    dark = alt.expr.isValid(alt.datum["times"]) & (alt.expr.abs(alt.datum["times"]) > 1.3)
    text = alt.Chart(frame).mark_text(fontSize=13, fontWeight=600)
    text = text.encode(x=x, y=y, text="label:N", color=alt.condition(dark, alt.value("white"), alt.value(theme.INK)))
    return _finish(alt.layer(tiles, text), max(120, 52 * frame["signal"].nunique() + 120))


def blame_bars(frame: pd.DataFrame, noise_floor: float | None) -> Chart:
    """What each cause contributes, with simultaneous bounds; the grey zone is what the reference does to itself."""
    y = alt.Y("cause:N", title=None, sort=None, axis=_names(200))
    x = alt.X("estimate:Q", title="points contributed to the harm", axis=alt.Axis(tickCount=8))
    scale = alt.Scale(domain=["named as the cause", "not named"], range=[theme.FAIL, "#8fa3b8"])
    color = alt.Color("named:N", scale=scale, legend=alt.Legend(title=None, orient="top"))
    bars = (
        alt.Chart(frame)
        .mark_bar(height=20, cornerRadius=2)
        .encode(y=y, x=x, color=color, tooltip=_told("cause:N", timed=False))
    )
    rules = alt.Chart(frame).mark_rule(strokeWidth=2, color=theme.INK).encode(y=y, x="lower:Q", x2="upper:Q")
    ends = [
        alt.Chart(frame).mark_tick(thickness=2, size=10, color=theme.INK).encode(y=y, x=f"{end}:Q")
        for end in ("lower", "upper")
    ]
    return _finish(
        alt.layer(*_noise(noise_floor), bars, _level(0.0, theme.MUTED, [1, 0], 1, "x"), rules, *ends),
        46 * len(frame) + 70,
    )


def _names(limit: int, **how: Any) -> alt.Axis:
    return alt.Axis(labelLimit=limit, ticks=False, labelFlush=False, **how)


def _noise(floor: float | None) -> list[alt.Chart]:
    if not floor:
        return []
    zone = pd.DataFrame({"from": [-100 * floor], "to": [100 * floor]})
    return [alt.Chart(zone).mark_rect(color=theme.NOISE, opacity=0.45).encode(x="from:Q", x2="to:Q")]


def _time(domain: Any) -> alt.X:
    scale = alt.Scale(type="utc", domain=domain) if domain else alt.Scale(type="utc")
    axis = alt.Axis(format="%H:%M", labelOverlap=True, tickCount=8, grid=False)
    return alt.X("time:T", title="time (UTC)", scale=scale, axis=axis)


def _level(value: float, color: str, dash: list[int], width: float, channel: str = "y") -> alt.Chart:
    rule = alt.Chart(pd.DataFrame({"level": [value]})).mark_rule(color=color, strokeDash=dash, strokeWidth=width)
    placed: alt.Chart = rule.encode(**{channel: "level:Q"})
    return placed


def _accepted(level: float) -> list[alt.Chart]:
    frame = pd.DataFrame({"level": [level], "text": [f"accepted: {level:.1f} points"]})
    label = alt.Chart(frame).mark_text(align="right", baseline="bottom", dy=-4, dx=-4, color=theme.FAIL, fontSize=12)
    return [_level(level, theme.FAIL, [6, 4], 1.6), label.encode(y="level:Q", x=alt.value("width"), text="text:N")]


def _deploys(frame: pd.DataFrame) -> list[alt.Chart]:
    if frame.empty:
        return []
    base = alt.Chart(frame.assign(text="▼ " + frame["build"]))
    rule = base.mark_rule(color=theme.INK, strokeWidth=1, strokeDash=[2, 3]).encode(x="time:T")
    text = base.mark_text(align="center", baseline="bottom", dy=-4, fontSize=12, color=theme.INK)
    return [rule, text.encode(x="time:T", y=alt.value(0), text="text:N")]


def _told(*fields: str, timed: bool = True) -> list[alt.Tooltip]:
    told = [alt.Tooltip("utchoursminutes(time):T", title="time (UTC)")] if timed else []
    return [*told, alt.Tooltip("said:N", title="harm"), *(alt.Tooltip(name) for name in fields)]


def _finish(chart: Chart, height: float) -> Chart:
    return (
        chart.properties(height=height)
        .configure_view(strokeWidth=0)
        .configure_axis(gridColor=theme.GRID, labelColor=theme.INK, titleColor=theme.MUTED, titleFontWeight="normal")
    )
