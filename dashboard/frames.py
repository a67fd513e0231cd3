"""Rows of the API as frames for charts and tables; every column is named here, every text made plain."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from dashboard import plain, words

Row = Mapping[str, Any]
ORDER = {"fail": 0, "hold": 1, "pass": 2}


def moments(times: Sequence[float]) -> Any:
    """Epoch seconds as times in UTC."""
    return pd.to_datetime(list(times), unit="s", utc=True)


def looks(rows: Sequence[Row]) -> pd.DataFrame:
    """The ledger of one check, in points, for the band chart. Looks before the first estimate are left out."""
    known = [row for row in rows if row.get("estimate") is not None]
    frame = pd.DataFrame({"time": moments([row["time"] for row in known])})
    for column in ("estimate", "lower", "upper"):
        frame[column] = [_points(row.get(column)) for row in known]
    frame["pairs"] = [int(row.get("pairs") or 0) for row in known]
    frame["said"] = [words.harm(row) for row in known]
    return frame


def _points(value: float | None) -> float | None:
    return None if value is None else value * 100


def rates(points: Sequence[Row], variant: str, groups: int = 40) -> pd.DataFrame:
    """A live rate in per cent, from whole buckets taken together so that at most `groups` points are drawn."""
    size = max(1, -(-len(points) // groups))
    rows = [_together(points[start : start + size]) for start in range(0, len(points), size)]
    kept = [row for row in rows if row["n"]]
    frame = pd.DataFrame({"time": moments([row["time"] for row in kept])})
    frame["rate"] = [100 * row["sum"] / row["n"] for row in kept]
    frame["requests"] = [row["n"] for row in kept]
    frame["build"] = plain.name(variant)
    return frame


def stacked(frames: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Several builds' rates as one frame; without any, an empty one."""
    kept = [frame for frame in frames if not frame.empty]
    return pd.concat(kept, ignore_index=True) if kept else pd.DataFrame()


def _together(points: Sequence[Row]) -> dict[str, Any]:
    return {
        "time": points[0]["time"],
        "n": sum(int(point.get("n") or 0) for point in points),
        # A rate of yes, or a mean score: either way weighted by how many stand behind it.
        "sum": sum(float(point.get("rate") or 0.0) * int(point.get("n") or 0) for point in points),
    }


def deploys(rows: Sequence[Row], since: float | None = None) -> pd.DataFrame:
    """Deploy markers, from `since` on."""
    kept = [row for row in rows if since is None or row["time"] >= since]
    frame = pd.DataFrame({"time": moments([row["time"] for row in kept])})
    frame["build"] = [plain.name(str(row["variant"]), 28) for row in kept]
    return frame


def ranked(checks: Sequence[Row]) -> list[Row]:
    """Checks with the worst first: failed, then undecided, then passed; within these by estimated harm."""
    return sorted(checks, key=lambda row: (ORDER.get(str(row["decision"]), 3), -_estimate(row)))


def _estimate(check: Row) -> float:
    estimate = (check.get("harm") or {}).get("estimate")
    return -1.0 if estimate is None else float(estimate)


def checks(rows: Sequence[Row], now: float) -> pd.DataFrame:
    """The table of checks as people read it; columns that would be empty are left out."""
    frame = pd.DataFrame(
        {
            "Status": [words.decision(row["decision"]) for row in rows],
            "Slice": [plain.name(str(row["slice"])) for row in rows],
            "Signal": [plain.name(words.signal(row)) for row in rows],
            "Users against reference": [words.harm(row.get("harm")) for row in rows],
            "Pairs": [int(row.get("pairs") or 0) for row in rows],
            "Needs": [words.needs(row) for row in rows],
            "Accepted": [f"{words.points(row['tolerance'])} points" for row in rows],
            "Since": [words.clock(row["since"], now) if row.get("since") else "" for row in rows],
        }
    )
    return frame.drop(columns=[column for column in ("Needs", "Since") if not any(frame[column])])


def intervals(rows: Sequence[Row]) -> pd.DataFrame:
    """Harm with bounds and tolerance per check, in points. Checks without an estimate keep their line, empty."""
    harms = [row.get("harm") or {} for row in rows]
    return pd.DataFrame(
        {
            "check": [_title(row) for row in rows],
            "estimate": [_points(harm.get("estimate")) for harm in harms],
            "lower": [_points(harm.get("lower")) for harm in harms],
            "upper": [_points(harm.get("upper")) for harm in harms],
            "tolerance": [row["tolerance"] * 100 for row in rows],
            "status": [words.decision(row["decision"]) for row in rows],
            "said": [words.harm(harm) for harm in harms],
            "pairs": [int(row.get("pairs") or 0) for row in rows],
        }
    )


def _title(row: Row) -> str:
    return f"{plain.name(str(row['slice']), 28)} · {plain.name(words.signal(row), 28)}"


def grid(rows: Sequence[Row]) -> pd.DataFrame:
    """Signal by slice: harm as a multiple of what is accepted, and what is written into the cell."""
    frame = intervals(rows)
    frame["slice"] = [plain.name(str(row["slice"]), 28) for row in rows]
    frame["signal"] = [plain.name(words.signal(row), 28) for row in rows]
    frame["times"] = frame["estimate"].astype("float64") / frame["tolerance"].where(frame["tolerance"] > 0)
    frame["label"] = [_cell(row) for row in rows]
    return frame


def _cell(row: Row) -> str:
    estimate = (row.get("harm") or {}).get("estimate")
    number = words.UNKNOWN if estimate is None else _signed(estimate)
    return f"{words.ICONS.get(str(row['decision']), '')} {number}"


def _signed(estimate: float) -> str:
    number = words.points(estimate)
    return number if number == "0.0" else f"{'+' if estimate > 0 else '−'}{number}"


def blame(row: Row) -> pd.DataFrame:
    """Contributions of each cause in points."""
    parts = row.get("contributions") or []
    return pd.DataFrame(
        {
            "cause": [plain.name(str(part["cause"])) for part in parts],
            "estimate": [_points(part["interval"].get("estimate")) for part in parts],
            "lower": [_points(part["interval"].get("lower")) for part in parts],
            "upper": [_points(part["interval"].get("upper")) for part in parts],
            "named": ["named as the cause" if part.get("named") else "not named" for part in parts],
            "said": [words.harm(part["interval"]) for part in parts],
        }
    )
