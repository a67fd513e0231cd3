"""How a log lies in time: its span and pace, how far lines lag behind the newest before them, and what fits a plan."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Final

BUCKETS: Final = (("1m", 60), ("5m", 300), ("15m", 900), ("1h", 3_600))
LATENESSES: Final = (("10m", 600), ("30m", 1_800), ("1h", 3_600), ("3h", 10_800), ("6h", 21_600), ("1d", 86_400))
ANSWERS: Final = (256, 512, 1_024, 2_048, 4_096)
_IN_A_BUCKET: Final = 20
_NEARLY_ALL: Final = 0.99


@dataclass(frozen=True, slots=True)
class Spacing:
    """Times in milliseconds. 99 of 100 lines lie at most `lag` behind the newest one before them in their file.

    `per_hour` is the pace over the whole log, strays at both ends aside; None where it has no length.
    """

    first: int
    last: int
    lag: int
    per_hour: float | None


def spacing(stretches: Iterable[Sequence[int]], requests: float) -> Spacing | None:
    """The spacing of stretches of times in log order, of a log of about so many requests; None without any."""
    filled = [times for times in stretches if times]
    if not filled:
        return None
    lags = [newest - time for times in filled for time, newest in zip(times, accumulate(times, max), strict=True)]
    begin = min(_quantile(times, 1 - _NEARLY_ALL) for times in filled)
    end = max(_quantile(times, _NEARLY_ALL) for times in filled)
    hours = (end - begin) / 3_600_000
    if len(filled) == 1:  # then it is known how many lie between
        [times] = filled
        requests *= (_place(times, _NEARLY_ALL) - _place(times, 1 - _NEARLY_ALL)) / len(times)
    return Spacing(
        first=min(map(min, filled)),
        last=max(map(max, filled)),
        lag=_quantile(lags, _NEARLY_ALL),
        per_hour=requests / hours if hours > 0 else None,
    )


def _quantile(values: Sequence[int], share: float) -> int:
    return sorted(values)[_place(values, share)]


def _place(values: Sequence[int], share: float) -> int:
    return round(share * (len(values) - 1))


def bucket(per_hour: float | None) -> str:
    """The narrowest bucket that holds twenty requests at this pace."""
    if per_hour is None:
        return BUCKETS[0][0]
    enough = (word for word, seconds in BUCKETS if per_hour * seconds / 3_600 >= _IN_A_BUCKET)
    return next(enough, BUCKETS[-1][0])


def lateness(lag: int) -> str:
    """The shortest lateness, at least the default, that is twice the lag which the log shows."""
    return next((word for word, seconds in LATENESSES if seconds * 1_000 >= 2 * lag), LATENESSES[-1][0])


def longest_answer(tokens: Sequence[int]) -> int:
    """The shortest limit on a replay's tokens, at least the default, that 99 of 100 of these answers keep within."""
    if not tokens:
        return ANSWERS[0]
    most = _quantile(tokens, _NEARLY_ALL)
    return next((limit for limit in ANSWERS if limit >= most), ANSWERS[-1])
