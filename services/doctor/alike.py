"""What two arms must have in common: tokenizer, chat template, what ends an answer, and room for the prompts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from monitor.model import Event
from monitor.traits import Traits
from services.doctor.arms import Opened
from services.doctor.result import Result, fail, ok, skip, warn
from services.doctor.traits import PROBES
from services.words import percent

_SAME = "serve both builds with the same tokenizer files, and convert them from the same checkpoint"
_TEMPLATE = "start both engines with the same chat template (`--chat-template`)"
_CANNOT = "cannot be asked of"


def alike(reference: Opened, served: Opened) -> Iterator[Result]:
    """The two arms compared by what can be asked of both."""
    names = f"{reference.variant} and {served.variant}"
    one, two = reference.traits, served.traits
    yield _tokenizer(names, one, two)
    yield _template(names, one, two)
    if one.stop is None or two.stop is None:
        yield skip("stop tokens", f"{_CANNOT} {names}")
    elif one.stop != two.stop:
        said = f"{reference.variant} ends answers with {one.stop!r}, {served.variant} with {two.stop!r}"
        yield fail("stop tokens", said, _SAME)
    else:
        yield ok("stop tokens", f"{names} end answers with {one.stop!r}")


def _tokenizer(names: str, one: Traits, two: Traits) -> Result:
    """By the very tokens where both tell them, else by how many a prompt has."""
    if one.ids is not None and two.ids is not None:
        if one.ids == two.ids:
            return ok("tokenizer", f"{names} cut {len(PROBES)} probes into the same tokens")
        return fail("tokenizer", f"{names} cut the same text into other tokens", _SAME)
    if one.counts is None or two.counts is None:
        return skip("tokenizer", f"{_CANNOT} {names}: no token counts")
    counts = f"{_numbers(one.counts[: len(PROBES)])} and {_numbers(two.counts[: len(PROBES)])} tokens"
    if one.counts != two.counts:
        said = f"{names} count {counts} for the same prompts: another tokenizer or chat template"
        return fail("tokenizer", said, _SAME)
    return ok("tokenizer", f"{names} count {_numbers(one.counts[: len(PROBES)])} tokens for the same prompts")


def _template(names: str, one: Traits, two: Traits) -> Result:
    """By what the template makes of a probe, else by its text, else by what remains of a prompt besides its text."""
    if one.rendered is not None and two.rendered is not None:
        same, what = one.rendered == two.rendered, "write the probes alike"
    elif one.template is not None and two.template is not None:
        same, what = one.template.strip() == two.template.strip(), "have the same chat template"
    elif one.counts is not None and two.counts is not None and one.ids is not None and two.ids is not None:
        same, what = one.counts == two.counts, "add as many tokens to the probes"
    else:
        return skip("chat template", f"{_CANNOT} {names}")
    if same:
        return ok("chat template", f"{names} {what}")
    return fail("chat template", f"{names} turn the same conversation into other prompts", _TEMPLATE)


def as_logged(reference: Opened, events: Sequence[Event]) -> Result:
    """The reference's prompt tokens against those that the log says of the served build, for a few logged prompts.

    `events` are those whose conversations were given as probes, in order.
    """
    counts = reference.traits.counts
    told = [(e.prompt_tokens, n) for e, n in zip(events, (counts or ())[len(PROBES) :], strict=False)]
    known = [(logged, own) for logged, own in told if logged is not None]
    if not known:
        return skip("prompt tokens", "the log, or the reference, does not tell them")
    logged, own = _numbers([a for a, _ in known]), _numbers([b for _, b in known])
    if logged == own:
        return ok("prompt tokens", f"{reference.variant} counts {own} for logged prompts, as the log does")
    said = f"{reference.variant} counts {own} for logged prompts, the log says {logged}"
    return warn("prompt tokens", f"{said}: another tokenizer or chat template than the served one", _SAME)


def room(opened: Opened, events: Sequence[Event], most: int) -> Result:
    """Whether the logged prompts, with an answer of `most` tokens, fit into an arm's context."""
    context, sizes = opened.traits.context, [e.prompt_tokens for e in events if e.prompt_tokens is not None]
    if context is None:
        return skip("context", f"{_CANNOT} {opened.variant}")
    if not sizes:
        return skip("context", f"{opened.variant} takes {context:,} tokens; the log does not say how long prompts are")
    long = sum(size + most > context for size in sizes)
    said = f"{opened.variant} takes {context:,} tokens, the longest logged prompt has {max(sizes):,}"
    if long * 100 > len(sizes):
        said += f"; {percent(long / len(sizes))} of them do not fit with an answer of {most:,}"
        return fail("context", said, "give the engine a longer context, or gate on a slice of shorter prompts")
    return ok("context", said)


def _numbers(counts: Sequence[int]) -> str:
    return ", ".join(f"{count:,}" for count in counts)
