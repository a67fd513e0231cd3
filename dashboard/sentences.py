"""What must be done, in one sentence. Plain text with names as they came: escape it before it meets Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from dashboard import words

Row = Mapping[str, Any]
Tone = Literal["pass", "hold", "fail"]


@dataclass(frozen=True, slots=True)
class Headline:
    """The sentence at the top of a page, the reason under it, and how loud it is."""

    tone: Tone
    sentence: str
    reason: str = ""


def advice(recommendation: Row | None, variant: str) -> str:
    """The recommended action as an instruction."""
    action = (recommendation or {}).get("action")
    if recommendation is None or action is None:
        return f"No recommendation for {variant} yet."
    slices = ", ".join(map(str, recommendation.get("slices") or ()))
    sentences = {
        "keep": f"Nothing to do: keep {variant} serving.",
        "hold": f"Wait with {variant}: it is neither proven nor failed.",
        "roll_back": _roll_back(recommendation, variant),
        "route_slice": f"Route {slices or 'the affected slice'} away from {variant}{_to(recommendation)}.",
        "tighten_decoding": f"Tighten decoding on {slices or 'the affected slices'} for {variant}.",
    }
    return sentences.get(str(action), f"{action} {variant}.")


def _to(recommendation: Row) -> str:
    return f" to {recommendation['to']}" if recommendation.get("to") else ""


def _roll_back(recommendation: Row, variant: str) -> str:
    if not recommendation.get("to"):
        return f"Roll back {variant}: there is no other build to name, choose one."
    proof = "its last verdict was pass" if recommendation.get("proven") else "unproven: watch it"
    return f"Roll back {variant}{_to(recommendation)} ({proof})."


def headline(deployment: Row, verdicts: Sequence[Row], alerts: Sequence[Row]) -> Headline:
    """What the person in front of the screen must do about this deployment, the worst build first."""
    if not deployment.get("variants"):
        return Headline("hold", "Nothing to judge yet: no request has arrived.", EMPTY)
    if not deployment.get("reference"):
        return Headline("hold", "Nothing can be proven: the plan names no reference build.", NO_REFERENCE)
    if not verdicts:
        return Headline("hold", "Nothing to compare: no quantized build is serving.")
    verdict = min(verdicts, key=lambda row: ("fail", "hold", "pass").index(str(row["decision"])))
    return _about(verdict, deployment, alerts)


EMPTY = "Send request logs to the intake, or name a log file in the plan; the first minute shows up once sealed."
NO_REFERENCE = "Name the full-precision build as the reference in the plan; until then every verdict is hold."


def _about(verdict: Row, deployment: Row, alerts: Sequence[Row]) -> Headline:
    variant, tone = str(verdict["variant"]), verdict["decision"]
    reason = str(verdict.get("reason") or "")
    if tone != "fail" and (deployment.get("stale") or verdict.get("stale")):
        return Headline("hold", f"Look at the pipeline: the verdict about {variant} rests on old data.", reason)
    waiting = [alert for alert in alerts if alert.get("state") == "open"]
    if tone == "pass" and waiting:
        number = f"{len(waiting)} open alert{'s' if len(waiting) > 1 else ''}"
        return Headline("hold", f"{variant} passes, but look at {number}.", reason)
    action = advice(verdict.get("recommendation"), variant)
    return Headline(tone, f"{action}{waits(verdict.get('checks') or [])}" if tone == "hold" else action, reason)


def waits(checks: Sequence[Row]) -> str:
    """What the slowest undecided check needs, as a sentence to append; nothing where that is not known."""
    known = [check for check in checks if words.needs(check)]
    if not known:
        return ""
    slowest = max(known, key=lambda check: (check.get("needs_seconds") or 0.0, check["needs_pairs"]))
    return f" {words.signal(slowest)} on {slowest['slice']} needs {words.needs(slowest)}."


def alert_line(alert: Row, now: float) -> str:
    """One alert in a list: what, where, since when."""
    since = words.ago(alert.get("since") or alert.get("opened_at"), now)
    return (
        f"{words.signal(alert)} on {alert['slice']}, {alert['variant']}: {words.harm(alert.get('harm'))}, since {since}"
    )


def cause(blame: Row | None) -> str:
    """What is to blame, or what is missing to say it."""
    if not blame:
        return "No blame yet: it is worked out once there are enough pairs from before and after."
    name = str(blame.get("cause") or "undetermined")
    if name != "undetermined":
        parts = [part for part in blame.get("contributions") or () if part.get("cause") == name]
        size = f": it accounts for {words.harm(parts[0].get('interval'))}" if parts else ""
        part = parts[0].get("share") if parts else None
        of_all = f", {words.share(part)} of the change" if part is not None and 0 < part <= 1 else ""
        return f"The cause is {name}{size}{of_all}."
    missing = "; ".join(map(str, blame.get("missing") or ()))
    return f"The cause is undetermined{f'. Missing: {missing}' if missing else ''}."


def freshness(deployment: Row) -> str:
    """How old the evidence is."""
    now, sealed = deployment.get("now"), deployment.get("sealed_until")
    if sealed is None or now is None:
        return "No data is sealed yet."
    return f"Sealed until {words.ago(sealed, now)}."


def stale(deployment: Row) -> str:
    """The warning shown over everything when evidence has stopped moving."""
    since = freshness(deployment)
    return f"STALE: {since[0].lower()}{since[1:]} Nothing below is current."


def alert_headline(alert: Row) -> Headline:
    """The alert's own sentence, with what to do about it."""
    resolved = alert.get("state") == "resolved"
    tone: Tone = "pass" if resolved else "hold" if alert.get("kind") == "ticket" else "fail"
    action = "Resolved: nothing to do." if resolved else advice(alert.get("recommendation"), str(alert["variant"]))
    return Headline(tone, action, str(alert.get("sentence") or ""))


def quarantined(quarantine: Row) -> str:
    """How many records could not be taken, and why."""
    total = quarantine.get("total") or 0
    if not total:
        return "Every record could be taken."
    counted = (quarantine.get("by_reason") or {}).items()
    reasons = ", ".join(f"{words.count(number)} {reason}" for reason, number in counted)
    return f"{words.count(total)} {'record' if total == 1 else 'records'} could not be taken: {reasons}."
