"""Writes a first plan: YAML that `quantwatch plan check` accepts as it is, with comments where a person must decide."""

from __future__ import annotations

from collections.abc import Sequence

from monitor.dialects.mapping import MappingRule
from monitor.plan import Plan
from monitor.survey.extract import Extract
from services.firstplan.deployment import put_deployment
from services.firstplan.draft import drafts
from services.firstplan.inputs import put_input
from services.firstplan.yamltext import Page

BLANK = "FILL IN"
"""What marks a place that only a person can fill."""


def first_plan(extract: Extract, files: Sequence[str], mapping: MappingRule, doubts: Sequence[str]) -> str:
    """The text of the plan. `doubts` are what the survey of the same extract says to look at first."""
    page = Page()
    _put_head(page, extract, files, doubts)
    put_input(page, extract, mapping)
    page.put(0, "deployments:")
    for number, draft in enumerate(drafts(extract)):
        if number:
            page.space()
        put_deployment(page, draft)
    page.space()
    _put_webhooks(page)
    return page.text()


def _put_head(page: Page, extract: Extract, files: Sequence[str], doubts: Sequence[str]) -> None:
    about = f"{len(extract.lines):,} of about {extract.about:,.0f} lines read"
    page.say(
        0,
        f"A first plan, written by `quantwatch plan init` from {', '.join(files)} ({about}).",
        f"It is right as it stands, but compares nothing yet. Look for {BLANK}; `quantwatch plan check` says more.",
        "Every key, its default and its meaning: docs/plan.md.",
    )
    if doubts:
        page.say(0, "", "Doubtful in this log, and better settled first:", *(f"* {doubt}" for doubt in doubts))
    page.put(0, "version: 1")
    page.space()
    page.say(
        0,
        "How long prompts and answers are kept where they are kept at all (pairs, queue, quarantine). `none` keeps "
        "none, and then nothing can be replayed.",
    )
    page.put(0, f"text: {Plan().text}", f"{BLANK}: how long you may keep them")
    page.space()


def _put_webhooks(page: Page) -> None:
    page.say(
        0,
        f"{BLANK}: where alerts go, signed as Standard Webhooks say. The secret is read from the environment variable "
        "that is named here.",
    )
    page.blank(0, "webhooks:")
    page.blank(0, '  - {url: "https://hooks.example.com/quantwatch", secret_env: QUANTWATCH_WEBHOOK_SECRET}')
