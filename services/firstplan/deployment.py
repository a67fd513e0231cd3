"""One deployment of a first plan: its builds, its slices, what is accepted, and what each default means in words."""

from __future__ import annotations

from typing import Final

from monitor.plan import GATING, DeploymentRule, seconds
from monitor.survey.clocks import span
from monitor.survey.running import Running
from services.firstplan.draft import Draft
from services.firstplan.slices import put_routes, put_slices
from services.firstplan.variants import put_reference, put_variants
from services.firstplan.yamltext import Page
from services.words import percent, rounded

_DEFAULT: Final = DeploymentRule()
_YES: Final = {"schema": "break their schema", "tool_call": "call a tool wrongly", "refusal": "refuse"}


def put_deployment(page: Page, draft: Draft) -> None:
    """The deployment with everything in it."""
    pace = "" if draft.spacing.per_hour is None else f", about {rounded(draft.spacing.per_hour)} an hour"
    page.key(1, draft.name, f"{percent(draft.share)} of the requests{pace}")
    put_reference(page, draft)
    put_variants(page, draft)
    for part in (_put_time, put_slices, put_routes, _put_signals, _put_shadow, _put_budget, _put_policy):
        page.space()
        part(page, draft)


def _put_time(page: Page, draft: Draft) -> None:
    page.say(2, "Counts are kept by this much event time; evidence is read in whole buckets.")
    page.put(2, f"bucket: {draft.bucket}", _a_bucket(draft))
    page.say(
        2,
        "How late a line may come. A bucket is sealed, and seen by verdicts, that much after its end; later lines are "
        f"quarantined. Here 99 of 100 lines lie at most {span(draft.spacing.lag)} behind the newest before them.",
    )
    page.put(2, f"lateness: {draft.lateness}")
    if draft.talking:
        page.say(
            2,
            f"{percent(draft.talking)} of the requests name a conversation. Its turns fail together, so it counts "
            "once: by its first turn, or by one that is drawn with these weights for the first, second, third … turn.",
        )
        page.put(2, "unit_turns: [1.0]")


def _a_bucket(draft: Draft) -> str:
    if draft.spacing.per_hour is None:
        return "a guess: the log is too short to tell its pace"
    return f"about {rounded(draft.spacing.per_hour * seconds(draft.bucket) / 3_600)} requests at this log's pace"


def _put_signals(page: Page, draft: Draft) -> None:
    page.say(
        2,
        "The harm that is accepted against the reference, as a difference of rates or of mean scores: 0.02 is two "
        "points. These four may fail a build; the other signals raise tickets.",
    )
    seen = {signal.signal: signal for signal in draft.signals}
    gating = [seen[name] for name in GATING]
    if any(signal.runs for signal in gating):
        page.put(2, "signals:")
    for signal in gating:
        line = f"{signal.signal}: {{tolerance: 0.02}}"
        if signal.runs:
            page.put(3, line, f"FILL IN: {_now(signal)}")
        else:
            page.blank(3, line, f"does not run here: {signal.lacks}")


def _now(signal: Running) -> str:
    runs = f"runs on {percent(signal.runs / signal.requests)} of the requests"
    if signal.yes is None:
        return runs
    return f"{runs}; {percent(signal.yes / signal.runs)} of these {_YES.get(signal.signal, 'say yes')} now"


def _put_shadow(page: Page, draft: Draft) -> None:
    shadow = _DEFAULT.shadow
    page.say(
        2,
        "Which requests are asked again. More replays decide sooner and cost more: `quantwatch plan check THIS_FILE "
        "--log LOG` says how long each check takes on this log's traffic, and at what price.",
    )
    reasons = [f"{percent(n / draft.read)} {reason}" for reason, n in draft.replays.reasons.items()]
    if reasons:
        able = percent(draft.replays.replayable / draft.read)
        page.say(2, f"Of this log {able} of the requests can be replayed; not: {', '.join(reasons)}.")
    page.put(2, "shadow:")
    pace = draft.spacing.per_hour
    hourly = "" if pace is None else f": about {rounded(pace * shadow.share)} an hour"
    page.put(3, f"share: {shadow.share:g}", f"FILL IN: one unit in {1 / shadow.share:.0f} is replayed{hourly}")
    page.blank(3, "per_hour: 100", "FILL IN: at most so many, whatever the traffic does")
    kept = "; 99 of 100 in the log keep within it" if draft.counted else ""
    page.put(3, f"max_tokens: {draft.max_tokens}", f"the longest answer of a replay{kept}")
    page.put(3, f"horizon: {shadow.horizon}", "how long after `lateness` a replay may come; then its arm is missing")
    page.put(3, f"second_share: {shadow.second_share:g}", "of the replays, asked twice: what differs then is noise")
    page.put(3, f"excluded_limit: {shadow.excluded_limit:g}", "a check holds where more pairs than this lack an arm")
    if draft.joins:
        page.say(
            2, "The log has scores or feedback that come after their request, kept open for this share of the units:"
        )
        page.put(2, "joins: {share: 0.1, horizon: 1d}", "FILL IN: 0 quarantines them")


def _put_budget(page: Page, _: Draft) -> None:
    budget = _DEFAULT.budget
    page.say(2, "The errors that you accept, over all looks at a build's whole life.")
    page.put(2, "budget:")
    page.put(3, f"wrong_fail: {budget.wrong_fail:g}", "FILL IN: a build within every tolerance is ever failed")
    page.put(3, f"wrong_pass: {budget.wrong_pass:g}", "FILL IN: a build beyond a tolerance is ever passed")
    page.put(3, f"false_pages: {budget.false_pages}", "pages about changes that were none")
    page.put(3, f"tickets: {budget.tickets}", "tickets about changes that were none")


def _put_policy(page: Page, draft: Draft) -> None:
    page.put(2, "policy:")
    page.put(3, f"stale_after: {draft.stale_after}", "evidence holds that is older than this and what sealing takes")
    page.put(3, f"minimum_pairs: {_DEFAULT.policy.minimum_pairs}", "a check with fewer pairs is no check yet")
