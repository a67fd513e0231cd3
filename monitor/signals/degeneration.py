"""Answers that fell apart: cut off, looping, empty, in the wrong script; and how long they are."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from monitor.model import Definition, Event, Output
from monitor.signals.family import Cells, sealed
from monitor.signals.kernels_text import mostly_ascii, repeats, scripts, switched

NO, YES, NO_CONTENT, NOT_OBSERVED = range(4)
_CELLS = ("no", "yes", "no_content", "not_observed")
LENGTH_BINS = 32
OCTAVES = 16
# Bin k holds 1 + characters in [2^(k/2), 2^((k+1)/2)); the last one is open.
LENGTH_EDGES = tuple(math.isqrt(2**k - 1) for k in range(1, LENGTH_BINS))
_LENGTH_ARRAY = np.array(LENGTH_EDGES)
_INVISIBLE = " \t\r\n\0\x0b\x0c\x85\xa0\xad\u200b\u200c\u200d\u200e\u200f\u2028\u2029\u2060\u3000\ufeff"
_ASIDE = ("{", "[", "<", "```")

# Where each cell lies in the number that holds all five of one event; truncation has the lowest two bits.
# Characters come above all of them; a negative number has none.
_REPETITION, _EMPTY, _LANGUAGE, _LENGTH = 2, 4, 6, 9
_UNDECIDED = 4
_ABSENT = NO_CONTENT * (1 + (1 << _REPETITION) + (1 << _EMPTY) + (1 << _LANGUAGE)) - (1 << _LENGTH)


def length(output: Output) -> int:
    """Characters of the answer: its text and the arguments of its calls. The same measure for every arm."""
    characters = 0 if output.text is None else len(output.text)
    return characters + sum(len(call.arguments) for call in output.tool_calls)


def length_value(output: Output) -> int | None:
    """log2(1 + characters) over 16 octaves as 0…65,535, so that lengths of pairs can be tested like scores.

    None where the answer was not logged: no text and no calls.
    """
    if output.text is None and not output.tool_calls:
        return None
    return min(65_535, round(math.log2(1 + length(output)) * 65_535 / OCTAVES))


class Degeneration:
    """Five signals of one look at the text: `truncation`, `repetition`, `empty`, `language` and `length`.

    An output that was not logged (no text and no calls) is `no_content` throughout; calls without text have no
    repetition and no language. A finish reason or a question that was not logged is `not_observed`. Answers that
    start as code or JSON keep their language. `length` has bins only; pairs use `length_value`.
    """

    def __init__(self) -> None:
        def harm(signal: str) -> Definition:
            return sealed(Definition(signal, "degeneration", _CELLS, yes=("yes",), no=("no",)))

        bins = (*(f"{k}" for k in range(LENGTH_BINS)), "no_content")
        self.definitions: tuple[Definition, ...] = (
            *(harm(signal) for signal in ("truncation", "repetition", "empty", "language")),
            sealed(Definition("length", "degeneration", bins, unit="characters")),
        )

    def judge(self, event: Event, output: Output | None) -> tuple[int, ...]:
        return tuple(_unpacked([_code(event, output)], [event], [output])[0].tolist())

    def judge_all(self, events: Sequence[Event]) -> Cells:
        outputs = [event.output for event in events]
        return _unpacked(list(map(_code, events, outputs)), events, outputs)


def _code(event: Event, output: Output | None) -> int:
    """All five cells in one number: two bits each for three of them, three for language, the rest for characters."""
    if output is None:
        return _ABSENT
    text = output.text
    if not text:
        return _wordless(output)
    reason = output.finish_reason
    code = NO if reason == "stop" else NOT_OBSERVED if reason is None else int(reason == "length")
    if repeats(text):
        code += YES << _REPETITION
    code += (length(output) if output.tool_calls else len(text)) << _LENGTH
    if text[0] in _INVISIBLE and not text.strip(_INVISIBLE):
        return code + (int(not output.tool_calls) << _EMPTY) + (NO_CONTENT << _LANGUAGE)
    messages = event.messages
    question = messages[-1].content if messages and messages[-1].role == "user" else _question(event)
    if not question:
        return code + (NOT_OBSERVED << _LANGUAGE)
    if (text.isascii() or mostly_ascii(text)) and (question.isascii() or mostly_ascii(question)):
        return code
    return code if text.startswith(_ASIDE) else code + (_UNDECIDED << _LANGUAGE)


def _wordless(output: Output) -> int:
    if output.text is None and not output.tool_calls:
        return _ABSENT
    reason = output.finish_reason
    truncation = NOT_OBSERVED if reason is None else int(reason == "length")
    harm = truncation + (NO_CONTENT << _REPETITION) + (int(not output.tool_calls) << _EMPTY)
    return harm + (NO_CONTENT << _LANGUAGE) + (length(output) << _LENGTH)


def _unpacked(codes: Sequence[int], events: Sequence[Event], outputs: Sequence[Output | None]) -> Cells:
    packed = np.array(codes, dtype=np.int64)
    cells = np.empty((len(codes), 5), dtype=np.int16)
    for column, shift in enumerate((0, _REPETITION, _EMPTY)):
        cells[:, column] = packed >> shift & 3
    cells[:, 3] = packed >> _LANGUAGE & 7
    cells[:, 4] = np.where(packed < 0, LENGTH_BINS, _LENGTH_ARRAY.searchsorted(packed >> _LENGTH, side="right"))
    rows = np.flatnonzero(cells[:, 3] == _UNDECIDED).tolist()
    if rows:
        asked = scripts([_question(events[row]) for row in rows])
        answered = scripts([_text(outputs[row]) for row in rows])
        cells[rows, 3] = switched(asked, answered)
    return cells


def _question(event: Event) -> str:
    """The last user message, or nothing."""
    messages = event.messages or ()
    return next((message.content or "" for message in reversed(messages) if message.role == "user"), "")


def _text(output: Output | None) -> str:
    return "" if output is None else output.text or ""
