"""Line charts and bars as SVG, written by hand: no library for so little."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

WIDTH, HEIGHT, LEFT, BOTTOM, TOP, RIGHT = 680, 320, 64, 44, 34, 170
COLOURS = ("#1f6f8b", "#c8553d", "#6a994e", "#8e6c8a", "#b08900", "#5c677d", "#2a9d8f")


def lines(
    title: str, across: str, up: str, series: Mapping[str, Sequence[tuple[float, float]]], *, logarithmic: bool = False
) -> str:
    """Points (x, y) by name as lines; `logarithmic` is about the y axis."""
    xs = [x for points in series.values() for x, _ in points]
    ys = [y for points in series.values() for _, y in points]
    low, high = (min(ys) / 1.2, max(ys) * 1.2) if logarithmic else (0.0, max(ys) * 1.08)
    left, right = min(xs), max(xs)

    def place(x: float, y: float) -> tuple[float, float]:
        share = math.log(y / low) / math.log(high / low) if logarithmic else (y - low) / (high - low)
        at = LEFT + (x - left) / (right - left or 1.0) * (WIDTH - LEFT - RIGHT)
        return at, HEIGHT - BOTTOM - share * (HEIGHT - BOTTOM - TOP)

    body = [_axes(title, across, up)]
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        y = low * (high / low) ** share if logarithmic else low + share * (high - low)
        at = place(left, y)[1]
        body.append(f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{at:.1f}" y2="{at:.1f}" stroke="#e5e5e5"/>')
        body.append(_text(LEFT - 6, at + 4, _number(y), "end"))
    marks = sorted(set(xs)) if len(set(xs)) <= 9 else [left, (left + right) / 2, right]
    body += [_text(place(x, low)[0], HEIGHT - BOTTOM + 16, _number(x), "middle") for x in marks]
    for index, (name, points) in enumerate(series.items()):
        colour = COLOURS[index % len(COLOURS)]
        path = " ".join(f"{a:.1f},{b:.1f}" for a, b in (place(x, y) for x, y in points))
        body.append(f'<polyline fill="none" stroke="{colour}" stroke-width="2" points="{path}"/>')
        body.append(_key(index, colour, name))
    return _svg(body)


def bars(title: str, up: str, values: Mapping[str, float], goal: float | None = None) -> str:
    """Bars by name with their values, and the goal as a line."""
    high = max([*values.values(), goal or 0.0]) * 1.12
    step = (WIDTH - LEFT - 20) / max(1, len(values))

    def place(y: float) -> float:
        return HEIGHT - BOTTOM - y / high * (HEIGHT - BOTTOM - TOP)

    body = [_axes(title, "", up)]
    for index, (name, value) in enumerate(values.items()):
        at = LEFT + index * step
        tall = HEIGHT - BOTTOM - place(value)
        body.append(
            f'<rect x="{at + 4:.1f}" y="{place(value):.1f}" width="{step - 8:.1f}" height="{tall:.1f}" '
            f'fill="{COLOURS[0]}"/>'
        )
        body.append(_text(at + step / 2, place(value) - 4, _number(value), "middle"))
        body.append(_text(at + step / 2, HEIGHT - BOTTOM + 16 + 12 * (index % 2), name, "middle"))
    if goal is not None:
        body.append(
            f'<line x1="{LEFT}" x2="{WIDTH - 20}" y1="{place(goal):.1f}" y2="{place(goal):.1f}" stroke="{COLOURS[1]}" '
            'stroke-dasharray="5 4"/>'
        )
        body.append(_text(WIDTH - 20, place(goal) - 5, f"goal {_number(goal)}", "end"))
    return _svg(body)


def _axes(title: str, across: str, up: str) -> str:
    floor = HEIGHT - BOTTOM
    return (
        _text(LEFT, 20, title, "start", "bold")
        + _text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 8, across, "middle")
        + f'<text x="14" y="{HEIGHT / 2}" transform="rotate(-90 14 {HEIGHT / 2})" text-anchor="middle">{up}</text>'
        + f'<line x1="{LEFT}" x2="{LEFT}" y1="{TOP}" y2="{floor}" stroke="#555"/>'
    )


def _key(index: int, colour: str, name: str) -> str:
    at = TOP + 14 + index * 20
    mark = f'<rect x="{WIDTH - RIGHT + 14}" y="{at - 9}" width="10" height="10" fill="{colour}"/>'
    return mark + _text(WIDTH - RIGHT + 30, at, name, "start")


def _text(x: float, y: float, words: str, anchor: str, weight: str = "normal") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-weight="{weight}">{words}</text>'


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _svg(body: Sequence[str]) -> str:
    size = f'viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="11"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" {size}>'
    return head + f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>' + "".join(body) + "</svg>\n"
