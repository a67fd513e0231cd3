"""What one look does to the alerts of its variant: openings, resolutions, and which of them notify.

Rules. A finding without an open alert opens one, if the variant serves and the identity's last alert was resolved by
the system or its evidence has been away since. A ticket resolves when a look no longer has its finding; a page only
when the variant no longer serves, or by a person. One notification a group: an alert that opens while another of
its group is open and notified is listed, not sent. Under a silence nothing is sent; when it ends, what is still open
is. Called again with the same look, nothing happens.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from monitor.model import Finding
from monitor.response.alerts import PAGES, SYSTEM, Alert, Ruling, State, Word, edit, identity, opening
from monitor.response.silences import Silence, muting


@dataclass(slots=True)
class Reaction:
    """The alerts after the look, by id, and the findings of those that it opened."""

    alerts: dict[str, Alert]
    opened: dict[str, Finding] = field(default_factory=dict)

    def edit(self, alert: Alert, word: Word, at: int, reason: str) -> None:
        """Lets something happen to an alert, if it may."""
        after = edit(alert, word, at, SYSTEM, reason)
        if not isinstance(after, Ruling):
            self.alerts[alert.id] = after

    def of(self, name: str) -> list[Alert]:
        """All alerts of one identity, in the order of their openings."""
        return sorted((a for a in self.alerts.values() if a.identity == name), key=lambda a: (len(a.id), a.id))


def react(
    alerts: Sequence[Alert],
    findings: Sequence[Finding],
    silences: Sequence[Silence],
    now: int,
    *,
    serving: bool = True,
    fresh: bool = True,
) -> Reaction:
    """What a look with these findings does to all alerts that its variant ever had."""
    reaction = Reaction({alert.id: alert for alert in alerts})
    found = {identity(finding): finding for finding in reversed(findings)} if serving else {}
    for alert in alerts:
        if fresh or not serving:
            _close(reaction, alert, alert.identity in found, serving, now)
    for name, finding in found.items():
        _open(reaction, name, finding, now)
    for alert in sorted(reaction.alerts.values(), key=_urgency):
        if alert.state is not State.RESOLVED:
            _notify(reaction, alert, silences, now)
    for alert in over(reaction.alerts.values()):
        reaction.edit(alert, Word.CONCLUDED, now, "no alert of its group is open")
    return reaction


def over(alerts: Iterable[Alert]) -> list[Alert]:
    """The notified alerts of groups that have no open alert any more, and of which nobody was told so yet."""
    known = list(alerts)
    running = {alert.group for alert in known if alert.state is not State.RESOLVED}
    return [a for a in known if a.group not in running and a.find(Word.NOTIFIED) and not a.find(Word.CONCLUDED)]


def _close(reaction: Reaction, alert: Alert, present: bool, serving: bool, now: int) -> None:
    if present:
        return
    resolved = alert.find(Word.RESOLVED)
    if resolved is not None:
        if resolved.by != SYSTEM:
            reaction.edit(alert, Word.CLEARED, now, "a later look did not find it")
    elif not serving:
        reaction.edit(alert, Word.RESOLVED, now, "the variant no longer serves")
    elif alert.kind not in PAGES:
        reaction.edit(alert, Word.RESOLVED, now, "a later look did not find it")


def _open(reaction: Reaction, name: str, finding: Finding, now: int) -> None:
    earlier = reaction.of(name)
    if earlier and not _may_reopen(earlier[-1]):
        return
    alert = opening(finding, len(earlier), now)
    reaction.alerts[alert.id] = alert
    reaction.opened[alert.id] = finding


def _may_reopen(last: Alert) -> bool:
    """A person's resolution stands for as long as the same evidence does."""
    resolved = last.find(Word.RESOLVED)
    return resolved is not None and (resolved.by == SYSTEM or last.find(Word.CLEARED) is not None)


def _urgency(alert: Alert) -> tuple[int, int, str]:
    kinds = ("fail", "change", "ticket")
    opened = alert.find(Word.OPENED)
    return (opened.at if opened else 0, kinds.index(alert.kind), alert.id)


def _notify(reaction: Reaction, alert: Alert, silences: Sequence[Silence], now: int) -> None:
    if alert.find(Word.NOTIFIED) or alert.find(Word.GROUPED):
        return
    leader = next((a for a in reaction.alerts.values() if _speaks_for(a, alert)), None)
    silence = muting(silences, alert, now)
    if silence is not None:
        reaction.edit(alert, Word.SILENCED, now, f"muted by silence {silence.id}")
    elif leader is not None:
        reaction.edit(alert, Word.GROUPED, now, f"listed under {leader.id}")
    else:
        reaction.edit(alert, Word.NOTIFIED, now, "the first of its group")


def _speaks_for(other: Alert, alert: Alert) -> bool:
    """Whether a notification that covers `alert` was sent for `other`'s group and the group is still open."""
    settled = other.find(Word.NOTIFIED) or other.find(Word.GROUPED)
    same = other.id != alert.id and other.group == alert.group
    return same and settled is not None and other.state is not State.RESOLVED
