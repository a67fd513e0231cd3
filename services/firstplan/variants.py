"""The builds of a first plan: those that the log shows, and the blanks for the reference."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from monitor.model import QuantFormat
from monitor.survey.formats import FULL, Guess, guess
from monitor.survey.survey import Variant
from services.firstplan.draft import MOST_VARIANTS, Draft
from services.firstplan.yamltext import Page, flow, scalar
from services.words import percent

_REFERENCE = "full-precision-build"
_NAMED = 5


def put_reference(page: Page, draft: Draft) -> None:
    """The blank for the name of the reference, with a guess where one build's name says full precision."""
    full = _full(draft)
    page.say(2, "FILL IN: the full-precision build that the others are measured against. Until then verdicts are hold.")
    if draft.imported:
        share = percent(draft.imported)
        page.say(2, f"But {share} of the requests bring the reference's answer along: these are compared.")
    if full is None:
        page.blank(2, f"reference: {_REFERENCE}")
    else:
        page.blank(2, f"reference: {scalar(full[0].variant)}", f"a guess: its name says {full[1].words}")


def put_variants(page: Page, draft: Draft) -> None:
    """Every build that serves. What the plan does not name is quarantined, so either all of them stand here or none."""
    if draft.elsewhere or len(draft.variants) > MOST_VARIANTS:
        _put_none(page, draft)
        return
    page.say(2, "The builds that may serve; requests of others are quarantined as `unknown_variant`.")
    page.put(2, "variants:")
    for variant in draft.variants:
        _put_variant(page, variant)
    if _full(draft) is None:
        page.say(3, "FILL IN: the reference, which this log does not show; `arm` says where its answers come from.")
        page.blank(3, f"{_REFERENCE}:")
        page.blank(3, "  format: {kind: full-precision, bits: 16}")
        page.blank(3, "  cost: 2.0")
        page.blank(3, f"  {_arm(_REFERENCE)}")


def _put_none(page: Page, draft: Draft) -> None:
    if draft.elsewhere:
        names = ", ".join(draft.elsewhere[:_NAMED])
        page.say(
            2,
            "FILL IN: in a plan a name is one build's, and builds of these names serve in another deployment of this "
            f"log too: {names}.",
        )
    else:
        page.say(
            2,
            f"FILL IN: the log names {len(draft.variants):,} builds, too many to be builds. Is the name taken from the "
            "right place (`input.mapping.variant`)? The busiest of them:",
            *(f"* {variant.variant}" for variant in draft.variants[:_NAMED]),
        )
    page.say(2, "Until builds are named here, every build is taken as it comes, and none is compared.")
    page.put(2, "variants: {}")


def _put_variant(page: Page, variant: Variant) -> None:
    guessed = guess(variant.variant)
    page.key(3, variant.variant, f"{percent(variant.share)} of the requests")
    page.put(4, "cost: 1.0", "FILL IN: what it costs against the others; a rollback goes to the cheapest proven build")
    if guessed is None:
        page.blank(4, "format: {kind: weight-only, bits: 4}", "FILL IN: how its weights are stored; shown to people")
    else:
        page.blank(4, f"format: {_format(guessed)}", f"FILL IN: a guess, its name says {guessed.words}")
    role = "where the reference's answers come from" if _is_full(guessed) else "the same build again, for replays"
    page.blank(4, _arm(variant.variant), f"FILL IN: {role}")


def _arm(name: str) -> str:
    model = flow({"backend": "openai", "url": "http://localhost:8000/v1", "model": name, "token_env": "ENGINE_TOKEN"})
    return f"arm: {model}"


def _format(guessed: Guess) -> str:
    usual = asdict(QuantFormat())
    said: dict[str, Any] = {k: v for k, v in asdict(guessed.format).items() if v != usual[k]}
    return flow(said)


def _full(draft: Draft) -> tuple[Variant, Guess] | None:
    found = ((variant, guess(variant.variant)) for variant in draft.variants)
    return next(((variant, g) for variant, g in found if g is not None and _is_full(g)), None)


def _is_full(guessed: Guess | None) -> bool:
    return guessed is not None and guessed.format.kind == FULL
