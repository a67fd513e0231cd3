"""Silences mute notifications, never evidence: alerts open and resolve under them as ever."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from monitor.response.alerts import Alert


@dataclass(frozen=True, slots=True)
class Silence:
    """No notifications of matching alerts from `at` until before `until` (milliseconds). None matches anything."""

    id: int
    deployment: str
    variant: str | None
    slice: str | None
    signal: str | None
    at: int
    until: int
    by: str
    comment: str

    def active(self, now: int) -> bool:
        """Whether it mutes at `now`."""
        return self.at <= now < self.until

    def matches(self, alert: Alert) -> bool:
        """Whether it is about this alert."""
        given = ((self.variant, alert.variant), (self.slice, alert.slice), (self.signal, alert.signal))
        return self.deployment == alert.deployment and all(want in (None, has) for want, has in given)


def muting(silences: Iterable[Silence], alert: Alert, now: int) -> Silence | None:
    """The silence that mutes an alert at `now`: of several, the one that lasts longest."""
    found = [silence for silence in silences if silence.active(now) and silence.matches(alert)]
    return max(found, key=lambda silence: (silence.until, silence.id), default=None)
