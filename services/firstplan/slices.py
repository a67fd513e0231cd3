"""The slices of a first plan, and the structure that its requests demand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from monitor.plan import Where
from monitor.survey.candidates import Candidate
from monitor.survey.structured import Route
from services.firstplan.draft import Draft
from services.firstplan.yamltext import Page, flow
from services.words import percent

MOST: Final = 8
"""Slices that a first plan has; what more there could be stands behind a `#`. The budget is split over all of them."""

GATES: Final = 0.05
"""A smaller share of the traffic is shown, but does not gate: its checks would hold up every verdict."""

_ROUTES: Final = 10
_LONGEST: Final = 60


def put_slices(page: Page, draft: Draft) -> None:
    """The candidates: the first that differ as slices, the rest as comments."""
    page.say(
        2,
        "Parts of the traffic that are judged on their own, besides `all`. FILL IN: keep what you would roll back for, "
        "since every gating slice makes all checks wait longer; the rest with `gates: false`, or not at all.",
    )
    chosen = _chosen(draft.candidates)
    if chosen:
        page.put(2, "slices:")
    else:
        page.say(2, "Nothing in this log tells parts of it apart: no tags with few values, one length, one structure.")
    for candidate in chosen:
        page.put(3, f"- {flow(_rule(candidate))}", f"{percent(candidate.share)} of the requests")
    for candidate in draft.candidates:
        if candidate not in chosen:
            same = f", the very requests of `{candidate.same_as}`" if candidate.same_as else ""
            page.blank(3, f"- {flow(_rule(candidate))}", f"{percent(candidate.share)} of the requests{same}")
    for many in draft.many_valued:
        page.say(3, f"The tag `{many.tag}` has {many.values:,} values: too many for a slice of each.")


def put_routes(page: Page, draft: Draft) -> None:
    """The demanded structure, as comments: schemas and tools travel with the requests, the plan does not hold them."""
    if not draft.routes:
        page.say(2, "No request in this log demands JSON or offers tools.")
        return
    page.say(2, "Structured output in this log. Schemas and tools come with each request; there is nothing to fill in.")
    for route in draft.routes[:_ROUTES]:
        share = percent(route.requests / draft.read)
        page.say(2, f"* {_title(route)}: {share} of the requests{_outcome(route)}")
    rest = draft.routes[_ROUTES:]
    if rest:
        share = percent(sum(route.requests for route in rest) / draft.read)
        page.say(2, f"* {len(rest):,} more: {share} of the requests")


def _chosen(candidates: Sequence[Candidate]) -> list[Candidate]:
    """The first that hold different requests."""
    return [candidate for candidate in candidates if candidate.same_as is None][:MOST]


def _rule(candidate: Candidate) -> dict[str, Any]:
    where = {key: value for key, value in msgspec.to_builtins(candidate.rule.where).items() if value != _USUAL[key]}
    gates = {} if candidate.share >= GATES else {"gates": False}
    return {"name": candidate.rule.name, "where": where, **gates}


_USUAL: Final[dict[str, Any]] = msgspec.to_builtins(Where())


def _title(route: Route) -> str:
    if route.kind == "json":
        return "JSON without a schema"
    kind = "schema" if route.kind == "json_schema" else "tools"
    name = route.name if len(route.name) <= _LONGEST else route.name[: _LONGEST - 1] + "…"
    many = f"{route.different:,} of that name, the first " if route.different > 1 else ""
    return f"{kind} {name or 'without a name'} ({many}{route.digest})"


def _outcome(route: Route) -> str:
    if route.unchecked == route.requests:
        return "; it cannot be compiled, so no output is held against it"
    if not route.judged:
        return "; no output to hold against it"
    return f"; {percent(route.broken / route.judged)} of the outputs break it now"
